// What the installed runtime is: a fact for people who look for a fault. Creates no session.
import { env } from 'onnxruntime-node';

export const runtimeVersion = (): string => env.versions.node ?? env.versions.common;
