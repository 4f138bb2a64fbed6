// Pictures as the scoreboard asks about them: a task becomes a message with a PNG, an answer becomes outcomes by the world's checker. Also the
// answers of the model that is measured and not shipped (direct preference optimisation on the same triples), kept beside the suite.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { captionFaults, isTruthful, saysYes } from '../../models/pocket/world/pictures/checker.js';
import { PICTURE_SIZE, renderPicture } from '../../models/pocket/world/pictures/render.js';
import { pictureTasks, type PictureTask, type PictureTaskKind } from '../../models/pocket/world/pictures/tasks.js';
import { picturesHash } from '../../models/pocket/world/pictures/write.js';
import { writeAll } from '../write.js';
import type { Question } from './ask.js';

export const PRESENCE: readonly PictureTaskKind[] = ['random', 'popular', 'adversarial'];
export const ABILITY_KINDS: readonly PictureTaskKind[] = ['what', 'where', 'count', 'colour'];

export const tasksOf = (kind: PictureTaskKind, tasks: readonly PictureTask[]): PictureTask[] =>
  tasks.filter((task) => task.kind === kind);

export async function questionOf({ scene, prompt }: PictureTask): Promise<Question> {
  const raw = { width: PICTURE_SIZE, height: PICTURE_SIZE, channels: 3 } as const;
  const png = await sharp(renderPicture(scene), { raw }).png().toBuffer();
  const url = `data:image/png;base64,${png.toString('base64')}`;
  const content = [
    { type: 'image_url', image_url: { url } },
    { type: 'text', text: prompt },
  ];
  return { messages: [{ role: 'user', content }] };
}

/** 1 where an answer to a question is right: yes or no as in the picture, or the truth word for word. */
export function isRight({ kind, answer }: PictureTask, text: string): number {
  if (answer === null) throw new RangeError('a caption is not right or wrong');
  return Number(PRESENCE.includes(kind) ? saysYes(text) === saysYes(answer) : isTruthful(text, answer));
}

/** CHAIR's counts of one caption. */
export const faultsOf = ({ scene }: PictureTask, text: string): ReturnType<typeof captionFaults> =>
  captionFaults(scene, text);

export const allPictureTasks = pictureTasks;

/** Pictures of each kind where a figure is to have so many prompts: a picture gives one or two. */
export const picturesFor = (prompts: number): number => Math.ceil(prompts / 3);

const OracleAnswers = Type.Object({ pictures: Type.String(), answers: Type.Record(Type.String(), Type.String()) });
const oracleFile = (suite: string): string => path.join(suite, 'picture-oracles.json');

/** Answers of the tuned model by task; null where it was not measured. Throws where they are of other pictures. */
export async function readPictureOracle(suite: string): Promise<ReadonlyMap<string, string> | null> {
  const file = oracleFile(suite);
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed: unknown = JSON.parse(text);
  const remedy = 'Train it (models/pocket/recipe/pictures.py) and run `npm run scoreboard -- --oracles`.';
  if (!Value.Check(OracleAnswers, parsed) || parsed.pictures !== picturesHash())
    throw new Error(`${file} has no answers about today's pictures. ${remedy}`);
  return new Map(Object.entries(parsed.answers));
}

export async function writePictureOracle(suite: string, answers: Readonly<Record<string, string>>): Promise<void> {
  await writeAll({ [oracleFile(suite)]: `${JSON.stringify({ pictures: picturesHash(), answers })}\n` });
}
