// The picture that goes with the prompt: chosen here; dropping and pasting are the form's, which is larger.
import { accepted } from '../picture.js';

interface Props {
  /** A data: URI. */
  readonly picture: string | null;
  readonly problem: string | null;
  readonly onFile: (file: File) => void;
  readonly onRemove: () => void;
}

export function PictureField({ picture, problem, onFile, onRemove }: Props) {
  return (
    <span class="picture">
      {picture === null ? (
        <label class="quiet" title="or drop it here, or paste it">
          add a picture
          <input
            type="file"
            accept={accepted}
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file) onFile(file);
              currentTarget.value = '';
            }}
          />
        </label>
      ) : (
        <>
          <img src={picture} alt="The picture that goes with the prompt" />
          <button type="button" class="quiet" onClick={onRemove}>
            remove picture
          </button>
        </>
      )}
      {problem !== null && <span role="alert">{problem}</span>}
    </span>
  );
}
