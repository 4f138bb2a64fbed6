// JSON Schema's `format` for strings, as patterns: what is generated is valid, though not everything valid is generated (lower-case
// letters, plain host names). Formats that are not here are refused by name.

const day = '(0[1-9]|[12][0-9]|3[01])';
/** No leap days: a date is valid in any year. */
const date = `[0-9]{4}-((0[13578]|1[02])-${day}|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))`;
const time = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])';
/** Never two hyphens together: "xn--" and its like mean something else (RFC 5891). */
const label = '[a-z0-9]{1,8}(-[a-z0-9]{1,6}){0,2}';
const host = `${label}(\\.${label}){0,3}\\.[a-z]{2,10}`;
const octet = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';

export const FORMATS: Readonly<Record<string, string>> = {
  date: `^${date}$`,
  time: `^${time}$`,
  'date-time': `^${date}T${time}$`,
  email: `^[a-z0-9_]([a-z0-9_+-]|\\.[a-z0-9_+-]){0,30}@${host}$`,
  hostname: `^${host}$`,
  ipv4: `^(${octet}\\.){3}${octet}$`,
  ipv6: '^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$',
  uuid: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  uri: `^https?://${host}(/[a-zA-Z0-9._~-]{0,40}){0,8}$`,
};
