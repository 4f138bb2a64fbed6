// How one token came about: what each member alone would have thought of it.
import type { TokenTrace } from '@trimtab/client';

interface Props {
  readonly trace: TokenTrace;
  readonly onClose: () => void;
}

export function TokenCard({ trace, onClose }: Props) {
  const { token, token_id: id, members, kl, weights, kept, drafted, accepted } = trace;
  return (
    <aside class="card" aria-label={`token ${id}`}>
      <button type="button" class="close quiet" aria-label="Close" onClick={onClose}>
        ×
      </button>
      <h3>
        <code>{JSON.stringify(token)}</code> <small>id {id}</small>
      </h3>
      <table>
        <caption>Its probability by each member alone</caption>
        <tbody>
          {Object.entries(members).map(([name, logprob]) => {
            const share = Math.exp(logprob);
            const weight = weights?.[name];
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <meter min={0} max={1} value={share} aria-label={name} />
                </td>
                <td class="number">{percent(share)}</td>
                {weights && <td class="number">{weight === undefined ? '' : `weight ${weight.toFixed(2)}`}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
      <p>
        steered by {kl.toFixed(3)} nats · {kept} tokens were left to choose from
        {drafted && ` · drafted, and the draft ${accepted ? 'stood' : 'did not stand'}`}
      </p>
    </aside>
  );
}

const percent = (share: number): string =>
  share >= 0.001 ? `${(100 * share).toFixed(1)} %` : share > 0 ? `${(100 * share).toExponential(0)} %` : '0 %';
