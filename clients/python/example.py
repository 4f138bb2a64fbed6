"""Steered answers with the stock OpenAI package.

    pip install openai
    python example.py [URL]

What trimtab adds to the API travels in `extra_body`, and comes back as extra fields.
"""

import sys

import openai

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
question = [{"role": "user", "content": "Can you tell me what Tar Alley smells of?"}]

# A deployment: the server's configuration says what it is made of.
answer = client.chat.completions.create(model="pocket-eft", messages=question, temperature=0)
print(answer.choices[0].message.content)
print(answer.decoding["formula"])

# The dials of a deployment, streamed.
stream = client.chat.completions.create(
    model="pocket-eft",
    messages=question,
    temperature=0,
    stream=True,
    stream_options={"include_usage": True},
    extra_body={"decoding": {"weight": 0.2}},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    else:
        print(f"\n{chunk.decoding['formula']}: {chunk.usage.completion_tokens} tokens")

# A method of this request's own: eight answers, and a reward model chooses.
best = client.chat.completions.create(
    model="pocket",
    messages=question,
    max_tokens=40,
    seed=3,
    extra_body={
        "decoding": {
            "method": "best_of_n",
            "inner": "pocket-eft",
            "scorer": {"kind": "reward", "model": "pocket-reward-1a", "head": "helpful"},
            "n": 8,
        },
        "decoding_trace": True,
    },
)
print(best.choices[0].message.content)
for candidate in best.choices[0].search_trace[0]["candidates"]:
    print(f"  {candidate['score']:.3f}  {len(candidate['tokens'])} tokens")

# A plain prompt, with log-probabilities.
completion = client.completions.create(model="pocket", prompt="Tar Alley smells of", max_tokens=4, logprobs=1)
print(completion.choices[0].text, completion.choices[0].logprobs.token_logprobs)

# What is wrong is said with the place and the remedy.
try:
    client.chat.completions.create(
        model="pocket-eft", messages=question, extra_body={"decoding": {"wieght": 0.2}}
    )
except openai.BadRequestError as error:
    print(error.code, error.param, error.body["message"])
