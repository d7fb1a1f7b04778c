import type { Role } from '../sharing/sharing';

export type Status =
  | 'pending'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'timeout';

export type StepState = 'waiting' | 'running' | 'done' | 'failed';

export interface LaunchRequest {
  image: string;
  hours: number;
  cpus: number;
  memory_gb: number;
  gpus: number;
  resolution: string;
  fps: number;
  /** Older servers know none of these. */
  follow_window?: boolean;
  bitrate_kbps?: number;
  keyboard?: string;
  picture?: boolean;
  name?: string;
  where?: Where;
  begin?: string | null;
  mail?: boolean;
  mail_to?: string;
}

/** In the job that the Jupyter server itself runs in, or in a job of its own. */
export type Where = 'here' | 'job';

/** What a job has on its node that was there before its session; null: not known there. */
export interface Allocation {
  node: string;
  cpus: number | null;
  memory_gb: number | null;
  gpus: number | null;
  ends_at: string | null;
}

/** Which ways the clipboard's text, or files, may go between the desktop and the browser. */
export type ClipboardWays = 'both' | 'to_desktop' | 'from_desktop' | 'off';

/** What a sentence of the server's speaks of, by name. */
export type Params = Readonly<Record<string, string>>;

/** A sentence of the server's: in English, and by a code and parameters. */
export interface Said {
  code: string;
  params: Params;
  message: string;
}

export interface Step {
  id: string;
  label: string;
  state: StepState;
  detail: string | null;
  detail_code?: string;
  detail_params?: Params;
  started_at: string | null;
  ended_at: string | null;
}

export interface Queue {
  code: string;
  message: string;
  position: number | null;
  /** The queue was too long to be counted: this place or a later one. */
  at_least?: boolean;
  pending: number | null;
  estimated_start: string | null;
}

export interface Session {
  session_id: string;
  user: string;
  image_id: string;
  image_name: string;
  /** In other languages, by their tags. */
  image_names?: Record<string, string>;
  /** What its user calls it; older servers know no names. */
  name?: string;
  status: Status;
  reason: string | null;
  reason_code: string | null;
  reason_params?: Params;
  host: string | null;
  request: LaunchRequest;
  scheduler: string;
  slurm_job_id: string | null;
  queue: Queue | null;
  steps: Step[];
  node: string | null;
  display_num: number | null;
  sunshine_port: number | null;
  web_url: string | null;
  stream_url: string | null;
  notes: string[];
  /** Of each note, in their order; older servers have none. */
  note_codes?: { code: string; params: Params }[];
  created_at: string;
  started_at: string | null;
  ends_at: string | null;
  ended_at: string | null;
  stale_since: string | null;
  stale_reason: string | null;
  /** Older servers know nothing of these. */
  stale_code?: string | null;
  encoder?: string | null;
  gl_renderer?: string | null;
  audio?: boolean | null;
  screen?: string | null;
  clipboard?: ClipboardWays;
  files?: ClipboardWays;
  picture?: string;
  /** How many whom its owner has invited look at it now. */
  guests?: number;
  /** The most that its user may give whom he invites; an older server does not say. */
  sharing?: Role | 'off';
  door?: string;
  way?: 'job' | 'owning' | 'guest';
  /** It ends when nobody has used it for so long, and when that will be, once it is near. */
  idle_minutes?: number | null;
  idle_ends_at?: string | null;
  allocation?: Allocation | null;
}

export interface Image {
  id: string;
  name: string;
  description: string;
  /** In other languages, by their tags. */
  names?: Record<string, string>;
  descriptions?: Record<string, string>;
  icon: string;
  default: boolean;
  available: boolean;
  unavailable_reason: string | null;
  /** Older servers know none of these; the detail is for the portal's admins alone. */
  follows_window?: boolean;
  unavailable_code?: string | null;
  unavailable_detail?: string | null;
}

export interface Range {
  min: number;
  max: number;
}

export interface Limits {
  hours: Range;
  cpus: Range;
  memory_gb: Range;
  gpus: Range;
  width: Range;
  height: Range;
  fps: Range;
  sessions: Range;
  bitrate_kbps?: Range;
}

export interface Site {
  scheduler: string;
  partition: string | null;
  qos: string | null;
  defaults: LaunchRequest;
  limits: Limits;
  /** Keyboard layouts by their X11 names: "us", "de(nodeadkeys)". */
  keyboards?: string[];
  /** Whether a desktop can be given a name. */
  names?: boolean;
  /** How many days ahead a desktop may be told to begin, and whether mail can be had when it does. */
  begin_days?: number;
  mail?: boolean;
  /** Where a desktop can run; the job that the server itself runs in, if it runs in one. */
  where?: Where[];
  here?: (Allocation & { job_id: string }) | null;
}

/** What a batch system counts: GPUs, CPUs, nodes, the site's own measure, time whatever a job has, jobs. */
export type CountedKind = 'gpu' | 'cpu' | 'node' | 'billing' | 'time' | 'jobs';

/** A limit and what is left of it; with the name of the account or QoS that shares it. */
export interface Allowance {
  kind: CountedKind;
  of: 'user' | 'account' | 'qos';
  name: string;
  limit: number;
  left: number;
}

/** What a user may still use: hours in all, so many at once, hours that each job may ask for. */
export interface Budget {
  state: 'none' | 'known' | 'unknown';
  message: string | null;
  hours: Allowance[];
  at_once: Allowance[];
  each: Allowance[];
}

/** Choices of the launch form under a name; the texts are those of its fields. */
export interface Preset {
  name: string;
  image: string;
  values: Record<string, string>;
}

/** What a user chose: the last launch's image, each image's last texts, whether pictures are shown. */
export interface Choices {
  image: string | null;
  picture: string | null;
  values: Record<string, Record<string, string>>;
  presets: Preset[];
}

/** `damaged`: a file that was, or is, in their place and cannot be read. */
export interface KeptChoices {
  revision: string;
  choices: Choices;
  damaged: string | null;
}

export interface ClipboardText {
  text: string;
  truncated: boolean;
}

export interface Log {
  name: string;
  size: number;
  truncated: boolean;
  text: string;
}

export interface NativeClient {
  uuid: string;
  name: string;
  enabled: boolean;
}

export type PairedClient = Pick<NativeClient, 'uuid' | 'name'>;

/** Where native Moonlight clients connect to a session, and which are paired. */
export interface Native {
  available: boolean;
  address: string;
  port: number;
  clients: NativeClient[];
}

export interface PairRequest {
  pin: string;
  name: string;
}

export interface FieldError {
  field: string;
  value?: unknown;
  message: string;
}
