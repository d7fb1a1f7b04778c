import type { Image, LaunchRequest, Limits, Range, Site, Where } from '../api/types';

export const NUMBER_FIELDS = ['hours', 'cpus', 'memory_gb', 'gpus', 'fps', 'bitrate_kbps'] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];
export type FormField = NumberField | 'width' | 'height';

const WHOLE: ReadonlySet<FormField> = new Set(['cpus', 'gpus', 'fps', 'width', 'height']);

const CHECKED_FIELDS: readonly FormField[] = [...NUMBER_FIELDS, 'width', 'height'];

/** The API counts the bitrate in kbit/s, the form in the Mbit/s that people know. */
const KBITS = 1_000;

/** What an older server does not know is not asked for and not sent. */
type Newer = 'bitrate_kbps' | 'keyboard' | 'follow_window' | 'picture';

/** What is wanted or not. Of a screen: that its size is that of the window which shows it. */
export const YES = 'yes';
export const NO = 'no';
export const FOLLOWS = YES;
const FIXED = NO;

/** What stands in the inputs: text, because a half-typed number is no number. */
export type FormValues = Record<Exclude<FormField, Newer>, string> & Partial<Record<Newer, string>>;

export type Complaint =
  { kind: 'notNumber' } | { kind: 'notWhole' } | { kind: 'outOfRange'; min: number; max: number };

export type Complaints = Partial<Record<FormField, Complaint>>;

const COMMON_SIZES = ['1280x720', '1600x900', '1920x1080', '1920x1200', '2560x1440', '3840x2160'];

export const isWhole = (field: FormField): boolean => WHOLE.has(field);

export function splitSize(resolution: string): { width: string; height: string } {
  const [width = '', height = ''] = resolution.split('x');
  return { width, height };
}

export const joinSize = ({ width, height }: Pick<FormValues, 'width' | 'height'>): string =>
  `${width.trim()}x${height.trim()}`;

export function valuesOf(request: LaunchRequest): FormValues {
  return {
    hours: String(request.hours),
    cpus: String(request.cpus),
    memory_gb: String(request.memory_gb),
    gpus: String(request.gpus),
    fps: String(request.fps),
    bitrate_kbps: request.bitrate_kbps == null ? undefined : String(request.bitrate_kbps / KBITS),
    keyboard: request.keyboard ?? undefined,
    follow_window:
      request.follow_window === undefined ? undefined : request.follow_window ? FOLLOWS : FIXED,
    picture: request.picture === undefined ? undefined : request.picture ? YES : NO,
    ...splitSize(request.resolution),
  };
}

export function sizesWithin(limits: Limits): string[] {
  const fits = (text: string, { min, max }: Range): boolean =>
    Number(text) >= min && Number(text) <= max;
  return COMMON_SIZES.filter((size) => {
    const { width, height } = splitSize(size);
    return fits(width, limits.width) && fits(height, limits.height);
  });
}

export const followsWindow = ({ follow_window }: Pick<FormValues, 'follow_window'>): boolean =>
  follow_window === FOLLOWS;

export const fixedSize = (resolution: string): Partial<FormValues> => ({
  ...splitSize(resolution),
  follow_window: FIXED,
});

/** This window in its display's pixels, as far as the site allows: the first size of its desktop. */
export function sizeOfWindow(limits: Limits, of: Window = window): string {
  const pixels = (side: number, { min, max }: Range): number =>
    Math.min(Math.max(2 * Math.floor((side * of.devicePixelRatio) / 2), min), max);
  return `${pixels(of.innerWidth, limits.width)}x${pixels(of.innerHeight, limits.height)}`;
}

/** A comma is how half of Europe and many keyboards write 1.5. */
export const numberIn = (text: string): number =>
  text.trim() === '' ? NaN : Number(text.trim().replace(',', '.'));

/** Exact to the kbit/s, because the API takes whole numbers only. */
const toKbits = (text: string): number => Math.round(numberIn(text) * KBITS);

const isBitrate = (field: FormField): boolean => field === 'bitrate_kbps';

/** What the site allows, in the unit of the input; nothing where the server does not know the field. */
export function rangeOf(field: FormField, limits: Limits): Range | undefined {
  const range = limits[field];
  return range && isBitrate(field) ? { min: range.min / KBITS, max: range.max / KBITS } : range;
}

function complaintAbout(field: FormField, text: string, range: Range): Complaint | null {
  const value = isBitrate(field) ? toKbits(text) / KBITS : numberIn(text);
  if (!Number.isFinite(value)) {
    return { kind: 'notNumber' };
  }
  if (isWhole(field) && !Number.isInteger(value)) {
    return { kind: 'notWhole' };
  }
  return value < range.min || value > range.max ? { kind: 'outOfRange', ...range } : null;
}

export function check(values: FormValues, limits: Limits): Complaints {
  const complaints: Complaints = {};
  for (const field of CHECKED_FIELDS) {
    const text = values[field];
    const range = rangeOf(field, limits);
    const complaint = text !== undefined && range && complaintAbout(field, text, range);
    if (complaint) {
      complaints[field] = complaint;
    }
  }
  return complaints;
}

/** What a desktop in the server's own job has of that, and so is not asked for. */
const OF_THE_JOB: ReadonlySet<FormField> = new Set(['hours', 'cpus', 'memory_gb', 'gpus']);

export const isAskedFor = (field: FormField, where?: Where): boolean =>
  where !== 'here' || !OF_THE_JOB.has(field);

/** What can only be one thing is not asked. */
export const isChoice = ({ min, max }: Range): boolean => min < max;

/** Where the form begins; nothing where there is no choice, or the server knows none. */
export const firstWhere = ({ where = [], defaults }: Site): Where | undefined =>
  where.length > 0 ? (defaults.where ?? where[0]) : undefined;

/**
 * The request of a form that `check` has no complaints about. `now` is the size of the window that a
 * desktop which follows it begins with.
 */
export function requestOf(
  image: string,
  values: FormValues,
  where?: Where,
  now?: string,
): LaunchRequest {
  const follows = followsWindow(values);
  return {
    image,
    ...(where && { where }),
    hours: numberIn(values.hours),
    cpus: numberIn(values.cpus),
    memory_gb: numberIn(values.memory_gb),
    gpus: numberIn(values.gpus),
    resolution: (follows && now) || joinSize(values),
    follow_window: values.follow_window === undefined ? undefined : follows,
    fps: numberIn(values.fps),
    bitrate_kbps: values.bitrate_kbps === undefined ? undefined : toKbits(values.bitrate_kbps),
    keyboard: values.keyboard,
    picture: values.picture === undefined ? undefined : values.picture === YES,
  };
}

/** Remembered values where they are still allowed, else the site's defaults. */
export function startingValues(
  remembered: Partial<FormValues> | null,
  { defaults, limits, keyboards = [] }: Pick<Site, 'defaults' | 'limits' | 'keyboards'>,
  image: Pick<Image, 'follows_window'> | null = null,
): FormValues {
  const values = valuesOf(defaults);
  if (!limits.bitrate_kbps) {
    delete values.bitrate_kbps;
  }
  for (const field of CHECKED_FIELDS) {
    const text = remembered?.[field];
    const range = rangeOf(field, limits);
    const isAsked = values[field] !== undefined && range;
    if (isAsked && typeof text === 'string' && !complaintAbout(field, text, range)) {
      values[field] = text;
    }
  }
  const known = [FOLLOWS, FIXED].find((word) => word === remembered?.follow_window);
  values.follow_window = image?.follows_window ? (known ?? values.follow_window) : undefined;
  const wished = [YES, NO].find((word) => word === remembered?.picture);
  values.picture = values.picture && (wished ?? values.picture);
  const offered = [remembered?.keyboard, defaults.keyboard, keyboards[0]];
  values.keyboard = offered.find((code) => code !== undefined && keyboards.includes(code));
  return values;
}
