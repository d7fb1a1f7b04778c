import type { Dictionary } from '../../i18n/languages/en';
import { useSpeech } from '../../i18n/Language';
import { Dialog } from '../../parts/Dialog';
import { delayOf, delaysOf, lately, verdictOf, type Path, type Sample } from '../host/connection';
import type { SelkiesState } from '../host/selkies';
import { Graph } from './Graph';

/** How the picture comes: a verdict, what to do, the figures behind it, and how they went. */
export function ConnectionDialog({ state, onClose }: { state: SelkiesState; onClose: () => void }) {
  const { t } = useSpeech();
  const { samples, path, fellBack } = state;
  const words = t.tools;
  const verdict = verdictOf(samples, path);
  return (
    <Dialog title={words.connection} onClose={onClose}>
      <div className="verdict" data-testid="verdict" data-verdict={verdict}>
        <strong>{words.verdicts[verdict]}</strong>
        <span>{words.advice[verdict]}</span>
      </div>
      {samples.length > 0 && (
        <>
          <dl className="facts">
            {figuresOf(t, samples, path, fellBack).map(({ label, value, more }) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>
                  {value}
                  {more && <small>{more}</small>}
                </dd>
              </div>
            ))}
          </dl>
          <p className="quiet">{words.still}</p>
          <h3>{words.graph}</h3>
          <Graph
            label={words.figures.fps}
            values={samples.map(({ fps }) => fps)}
            show={(n) => String(Math.round(n))}
          />
          <Graph
            label={words.figures.delay}
            values={delaysOf(samples)}
            show={(n) => words.ms(Math.round(n))}
          />
          <Graph
            label={words.figures.mbps}
            values={samples.map(({ mbps }) => mbps)}
            show={(n) => words.mbit(n.toFixed(1))}
          />
        </>
      )}
    </Dialog>
  );
}

interface Figure {
  label: string;
  value: string;
  more?: string;
}

/** What is known, in the units that people know. */
export function figuresOf(
  { tools: words }: Dictionary,
  samples: readonly Sample[],
  path: Path | null,
  fellBack = false,
): Figure[] {
  const { figures } = words;
  const shown = (value: number | null, how: (n: number) => string): string =>
    value === null ? words.notKnown : how(value);
  const ms = (n: number): string => words.ms(Math.round(n));
  const last = samples[samples.length - 1];
  const trip = lately(samples, 'roundTrip');
  const parts = words.figures.delayParts(
    shown(lately(samples, 'node'), ms),
    shown(trip === null ? null : trip / 2, ms),
    shown(lately(samples, 'here'), ms),
  );
  const by = path?.gpuEncodes == null ? '' : path.gpuEncodes ? figures.by.gpu : figures.by.cpu;
  const all: Figure[] = [
    { label: figures.fps, value: shown(last?.fps ?? null, (n) => String(Math.round(n))) },
    { label: figures.delay, value: shown(delayOf(samples), ms), more: parts },
    { label: figures.mbps, value: shown(last?.mbps ?? null, (n) => words.mbit(n.toFixed(1))) },
    { label: figures.encoder, value: [path?.encoder, by].filter(Boolean).join(', ') },
    {
      label: figures.transport,
      value: TRANSPORTS[path?.transport ?? ''] ?? path?.transport ?? '',
      more: fellBack ? figures.way.fallback : path?.relayed ? figures.way.relayed : '',
    },
    { label: figures.size, value: (path?.size ?? '').replace('x', ' × ') },
    {
      label: figures.cpu,
      value: shown(last?.cpu ?? null, (n) => words.percent(Math.round(n))),
    },
  ];
  return all.filter(({ value }) => value !== '');
}

const TRANSPORTS: Record<string, string> = { websockets: 'WebSocket', webrtc: 'WebRTC' };
