// A number of the spec that a hand can turn: a slider, or a compass for a direction over two objectives.
import { useRef } from 'preact/hooks';
import type { Compass, Dial, Slider } from '../dials.js';

interface Props {
  readonly dial: Dial;
  readonly onTurn: (value: number) => void;
}

export function DialView({ dial, onTurn }: Props) {
  return dial.kind === 'slider' ? <SliderView {...{ dial, onTurn }} /> : <CompassView {...{ dial, onTurn }} />;
}

function SliderView({ dial, onTurn }: { readonly dial: Slider; readonly onTurn: (value: number) => void }) {
  const { label, help, value, least, most, step } = dial;
  const turn = (text: string): void => {
    const turned = Number(text);
    if (text !== '' && Number.isFinite(turned)) onTurn(turned);
  };
  return (
    <label class="dial" title={help}>
      <span>{label}</span>
      <input
        type="range"
        min={least}
        max={Math.max(most, value)}
        step={step}
        value={value}
        onInput={({ currentTarget }) => turn(currentTarget.value)}
      />
      <input
        type="number"
        aria-label={`${label}, as a number`}
        step={step}
        value={value}
        onChange={({ currentTarget }) => turn(currentTarget.value)}
      />
    </label>
  );
}

const RADIUS = 34;

function CompassView({ dial, onTurn }: { readonly dial: Compass; readonly onTurn: (value: number) => void }) {
  const face = useRef<SVGSVGElement>(null);
  const { axes, degrees, label, help } = dial;
  const radians = (degrees / 180) * Math.PI;
  const [x, y] = [RADIUS * Math.cos(radians), -RADIUS * Math.sin(radians)];
  const point = ({ clientX, clientY, buttons }: PointerEvent): void => {
    const box = face.current?.getBoundingClientRect();
    if (!box || buttons === 0) return;
    const up = box.top + box.height / 2 - clientY;
    const right = clientX - box.left - box.width / 2;
    onTurn(Math.round((Math.atan2(up, right) * 180) / Math.PI));
  };
  const steps: Readonly<Record<string, number>> = { ArrowLeft: 5, ArrowUp: 5, ArrowRight: -5, ArrowDown: -5 };
  return (
    <div class="compass" title={help}>
      <svg
        ref={face}
        viewBox="-50 -50 100 100"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={-180}
        aria-valuemax={180}
        aria-valuenow={Math.round(degrees)}
        aria-valuetext={`${Math.round(degrees)} degrees, from ${axes[0]} towards ${axes[1]}`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          point(event);
        }}
        onPointerMove={point}
        onKeyDown={(event) => {
          const step = steps[event.key];
          if (step === undefined) return;
          event.preventDefault();
          onTurn(wrapped(Math.round(degrees) + step));
        }}
      >
        <circle r={RADIUS} />
        <line x1={-RADIUS} x2={RADIUS} y1={0} y2={0} />
        <line y1={-RADIUS} y2={RADIUS} x1={0} x2={0} />
        <line class="needle" x1={0} y1={0} x2={x} y2={y} />
        <circle class="tip" cx={x} cy={y} r={5} />
      </svg>
      <span>
        {label}: {Math.round(degrees)}°<br />
        <small>
          0° {axes[0]}, 90° {axes[1]}
        </small>
      </span>
    </div>
  );
}

const wrapped = (degrees: number): number => ((((degrees + 180) % 360) + 360) % 360) - 180;
