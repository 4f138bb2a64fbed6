// The playground: one prompt, two lanes side by side, each token coloured by how far it was steered.
import { AuthenticationError, type MethodDescription, type Model } from '@trimtab/client';
import { useEffect, useState } from 'preact/hooks';
import { useLane, type Ask } from './lane.js';
import { client, takeKey, wordsOf } from './server.js';
import { KeyForm } from './view/key-form.js';
import { LaneView } from './view/lane-view.js';
import { PromptForm } from './view/prompt-form.js';
import { ThemeSwitch } from './view/theme-switch.js';

interface Served {
  readonly models: readonly Model[];
  readonly methods: readonly MethodDescription[];
}

const RETRY_MS = 2000;

interface Asked {
  readonly served: Served | null;
  readonly problem: string | null;
  /** The server wants a key, or another one. */
  readonly wantsKey: boolean;
  readonly withKey: (key: string) => void;
}

/** What the server has; asked again until it answers. */
function useServed(): Asked {
  const [served, setServed] = useState<Served | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [wantsKey, setWantsKey] = useState(false);
  const [keys, setKeys] = useState(0);
  useEffect(() => {
    let timer = 0;
    const ask = async (): Promise<void> => {
      try {
        const [models, { methods }] = await Promise.all([client.models(), client.methods()]);
        setServed({ models, methods });
        setProblem(null);
      } catch (error) {
        setProblem(wordsOf(error));
        const isLocked = error instanceof AuthenticationError;
        setWantsKey(isLocked);
        if (isLocked) return;
        timer = window.setTimeout(() => void ask(), RETRY_MS);
      }
    };
    void ask();
    return () => clearTimeout(timer);
  }, [keys]);
  const withKey = (key: string): void => {
    takeKey(key);
    setKeys(keys + 1);
  };
  return { served, problem, wantsKey, withKey };
}

export function App() {
  const { served, problem, wantsKey, withKey } = useServed();
  return (
    <>
      <header>
        <h1>
          <img src="./rudder.svg" alt="" width="24" height="24" /> trimtab
        </h1>
        <p class="claim">frozen models, steered while they decode</p>
        <ThemeSwitch />
      </header>
      {served ? (
        <Bench {...served} />
      ) : wantsKey ? (
        <KeyForm problem={problem} onKey={withKey} />
      ) : (
        <main class="empty" aria-live="polite">
          {problem ? `The server does not answer: ${problem} Trying again …` : 'Asking the server what it has …'}
        </main>
      )}
    </>
  );
}

function Bench({ models, methods }: Served) {
  const [plain, steered] = firstOf(models);
  const left = useLane(plain);
  const right = useLane(steered);
  const lanes = [left, right];
  const isRunning = lanes.some(({ run }) => run.phase === 'waiting' || run.phase === 'running');
  const [ask, setAsk] = useState<Ask>(firstAsk);
  return (
    <main>
      <PromptForm
        ask={ask}
        isRunning={isRunning}
        onChange={setAsk}
        onStart={() => lanes.forEach((lane) => lane.start(ask))}
        onStop={() => lanes.forEach((lane) => lane.stop())}
      />
      <div class="lanes">
        {lanes.map((lane, index) => (
          <LaneView key={index} name={index === 0 ? 'Left' : 'Right'} {...{ lane, models, methods, ask }} />
        ))}
      </div>
      <p class="legend">
        <span class="scale" aria-hidden="true" /> how far a token was steered: the divergence from the first model
        alone, 0 to 3 nats and more. Choose a token to see each member’s opinion of it.
      </p>
    </main>
  );
}

const firstAsk: Ask = {
  prompt: 'Can you tell me what Tar Alley smells of?',
  picture: null,
  temperature: 0,
  maxTokens: 80,
  seed: 1,
};

/** The first model, and the first deployment that steers it. */
function firstOf(models: readonly Model[]): [string, string] {
  const plain = models.find(({ kind }) => kind === 'model')?.id ?? models[0]?.id ?? '';
  return [plain, models.find(({ kind }) => kind === 'deployment')?.id ?? plain];
}
