# Makes the two tokenizer fixtures of this folder and their goldens, by the reference libraries (pip install tokenizers jinja2).
import json, os
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers, processors, normalizers, AddedToken
from jinja2.sandbox import ImmutableSandboxedEnvironment
root = os.path.dirname(os.path.abspath(__file__))
corpus=[l for l in '''The quick brown fox jumps over the lazy dog. How are you today? The answer is in the other question.
It's 12345 + 6,789 and they'll see that we're here. What is the capital? naïve café and other words.
Thank you for the answer; the question is the same as before.'''.split('\n')]*3
texts=['', 'Hello, how are you today?', ' the other  question\n\n  is\tthe same', "It's 12345 + 6,789 = they'll see!",
 'naïve café – “quotes” … 日本語 и кириллица', 'emoji 👩‍👩‍👧 and 🏳️‍🌈', 'cafe\u0301 vs café', '<|turn|>user\nthe<|end|>\n',
 '<s>the <think>tokens</think></s>', 'trailing spaces   ', '\r\n\r\n x', "ABC'S we'RE", '\u00a0\u3000nbsp', 'a\0b', 'x\u0085y \u0085 z', 'a\ufeffb \ufeff c', '\u2028\u2029\u180e end']
chats=[[{'role':'user','content':'Hello, how are you?'}],
 [{'role':'system','content':'  You are the assistant. '},{'role':'user','content':'What is the\ncapital?'},{'role':'assistant','content':'The answer.'},{'role':'user','content':'Thank you'}]]
TEMPLATE = ("{%- if messages[0]['role'] == 'system' -%}\n    {%- set system = messages[0]['content'] | trim -%}\n    {%- set rest = messages[1:] -%}\n{%- else -%}\n    {%- set system = none -%}\n    {%- set rest = messages -%}\n{%- endif -%}\n"
 "{{- bos_token -}}\n{%- if system is not none -%}\n    {{- '<|turn|>system\\n' ~ system ~ '<|end|>\\n' -}}\n{%- endif -%}\n"
 "{%- for message in rest -%}\n    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}\n        {{- raise_exception('Roles must alternate user and assistant.') -}}\n    {%- endif -%}\n"
 "    {%- if message.role == 'assistant' -%}\n        {%- generation -%}\n        {{- '<|turn|>assistant\\n' ~ message.content | trim ~ '<|end|>\\n' -}}\n        {%- endgeneration -%}\n    {%- else -%}\n        {{- '<|turn|>user\\n' ~ message.content ~ '<|end|>\\n' -}}\n    {%- endif -%}\n{%- endfor -%}\n"
 "{%- if add_generation_prompt -%}\n    {{- '<|turn|>assistant\\n' -}}\n{%- endif -%}\n")
def special(c): return AddedToken(c, special=True, normalized=False)
def finish(name, tok, bos):
    d=f'{root}/{name}'; os.makedirs(d, exist_ok=True)
    tok.add_special_tokens([special(c) for c in ['<s>','</s>','<|turn|>','<|end|>']])
    tok.add_tokens([AddedToken('<think>', special=False, normalized=False), AddedToken('</think>', special=False, normalized=False)])
    if bos: tok.post_processor=processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s>:1 $B:1', special_tokens=[('<s>', tok.token_to_id('<s>'))])
    tok.save(f'{d}/tokenizer.json', pretty=False)
    config={'bos_token':'<s>','eos_token':{'__type':'AddedToken','content':'<|end|>','lstrip':False,'normalized':False,'rstrip':False,'single_word':False,'special':True},'unk_token':None,'clean_up_tokenization_spaces':False,'tokenizer_class':'PreTrainedTokenizerFast'}
    if name=='bytelevel': open(f'{d}/chat_template.jinja','w').write(TEMPLATE)
    else: config['chat_template']=[{'name':'tool_use','template':'no'},{'name':'default','template':TEMPLATE}]
    json.dump(config, open(f'{d}/tokenizer_config.json','w'), indent=1)
    out={'encode':[],'chat':[]}
    for t in texts:
        ids=tok.encode(t, add_special_tokens=False).ids
        out['encode'].append({'text':t,'ids':ids,'ids_with_special':tok.encode(t).ids,'tokens':[tok.id_to_token(i) for i in ids],'decoded':tok.decode(ids,skip_special_tokens=False),'decoded_skip_special':tok.decode(ids,skip_special_tokens=True)})
    env=ImmutableSandboxedEnvironment(trim_blocks=True,lstrip_blocks=True)
    # The reference renders the generation mark as its body.
    t=env.from_string(TEMPLATE.replace('{%- generation -%}','{%- if true -%}').replace('{%- endgeneration -%}','{%- endif -%}'))
    for m in chats:
        for g in (False,True):
            text=t.render(messages=m,add_generation_prompt=g,bos_token='<s>',eos_token='<|end|>')
            out['chat'].append({'messages':m,'add_generation_prompt':g,'text':text,'ids':tok.encode(text,add_special_tokens=False).ids})
    json.dump(out, open(f'{d}/tokenizer_golden.json','w'), ensure_ascii=False, separators=(',',':'))
    print(name, tok.get_vocab_size(), os.path.getsize(f'{d}/tokenizer.json'))
t=Tokenizer(models.BPE()); t.pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False); t.decoder=decoders.ByteLevel()
t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
finish('bytelevel', t, False)
t=Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True))
t.normalizer=normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ','▁')])
t.decoder=decoders.Sequence([decoders.Replace('▁',' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ',1,0)])
t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=420, special_tokens=['<unk>']+[f'<0x{i:02X}>' for i in range(256)], show_progress=False))
t.model.unk_token='<unk>'
finish('sentencepiece', t, True)
