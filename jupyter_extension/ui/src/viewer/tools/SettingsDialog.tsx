import { useEffect, useId, useState, type ReactNode } from 'react';

import type { Session } from '../../api/types';
import { useSpeech } from '../../i18n/Language';
import { sizesWithin } from '../../launch/form';
import { Dialog } from '../../parts/Dialog';
import { usePortal } from '../../sessions/Portal';
import { pixelsOf, type ScreenSize } from '../host/screen';
import type { SelkiesHost, SelkiesState } from '../host/selkies';
import { frameRates, QUALITIES, rateOf, type Quality } from '../host/wishes';

interface Props {
  session: Session;
  host: SelkiesHost;
  state: SelkiesState;
  onClose: () => void;
}

/** The picture and the sound; what is chosen acts at once, and the picture stays in sight. */
export function SettingsDialog({ session, host, state, onClose }: Props) {
  const { t } = useSpeech();
  const { wishes } = state;
  const { request } = session;
  const words = t.tools;
  const sizes = useSizes(state.size, request.resolution);
  return (
    <Dialog title={words.settings} clear onClose={onClose}>
      <Choice label={words.quality}>
        {(id) => (
          <select
            id={id}
            data-testid="quality"
            value={wishes.quality}
            onChange={({ target }) => host.wish({ quality: target.value as Quality })}
          >
            {QUALITIES.map((quality) => (
              <option key={quality} value={quality}>
                {words.qualities[quality]}
              </option>
            ))}
          </select>
        )}
      </Choice>
      <Choice label={words.fps}>
        {(id) => (
          <select
            id={id}
            data-testid="fps"
            value={rateOf(wishes, request)}
            onChange={({ target }) => {
              const fps = Number(target.value);
              host.wish({ fps: fps === request.fps ? null : fps });
            }}
          >
            {frameRates(request).map((fps) => (
              <option key={fps} value={fps}>
                {words.fpsUpTo(fps)}
              </option>
            ))}
          </select>
        )}
      </Choice>
      <Choice label={words.size}>
        {(id) => (
          <select
            id={id}
            data-testid="size"
            value={state.size}
            onChange={({ target }) => host.resize(target.value)}
          >
            <option value="window">{words.sizeWindow}</option>
            {sizes.map((size) => (
              <option key={size} value={size}>
                {size.replace('x', ' × ')}
              </option>
            ))}
          </select>
        )}
      </Choice>
      {state.size !== 'window' && (
        <Choice label={words.scaling}>
          {(id) => (
            <select
              id={id}
              data-testid="scaling"
              value={wishes.fit ? 'fit' : 'exact'}
              onChange={({ target }) => host.wish({ fit: target.value === 'fit' })}
            >
              <option value="fit">{words.fit}</option>
              <option value="exact">{words.exact}</option>
            </select>
          )}
        </Choice>
      )}
      {state.size === 'window' && window.devicePixelRatio !== 1 && (
        <Check
          label={words.dense}
          hint={words.denseHint}
          checked={wishes.dense}
          onChange={(dense) => host.wish({ dense })}
        />
      )}
      {session.audio && (
        <>
          <Check
            label={words.soundOn}
            testId="sound"
            checked={wishes.sound}
            onChange={(sound) => host.wish({ sound })}
          />
          <Choice label={words.volume}>
            {(id) => (
              <input
                id={id}
                type="range"
                min={0}
                max={1}
                step={0.05}
                disabled={!wishes.sound}
                aria-valuetext={words.percent(Math.round(wishes.volume * 100))}
                value={wishes.volume}
                onChange={({ target }) => host.wish({ volume: Number(target.value) })}
              />
            )}
          </Choice>
        </>
      )}
      <p className="quiet">{words.remembered}</p>
    </Dialog>
  );
}

/** The sizes that this site allows, with those that are there already. */
function useSizes(...known: ScreenSize[]): string[] {
  const { client } = usePortal();
  const [common, setCommon] = useState<string[]>([]);
  useEffect(() => {
    // Without an answer there is the less to choose from.
    void client.site().then(
      ({ limits }) => setCommon(sizesWithin(limits)),
      () => undefined,
    );
  }, [client]);
  const all = [...known.filter((size) => size !== 'window'), ...common];
  return [...new Set(all)].sort((a, b) => pixelsOf(a).width - pixelsOf(b).width);
}

function Choice({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  );
}

export function Check(props: {
  label: string;
  hint?: string;
  testId?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  const { label, hint, testId, checked, onChange } = props;
  const id = useId();
  return (
    <div className="check">
      <input
        id={id}
        type="checkbox"
        data-testid={testId}
        checked={checked}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={({ target }) => onChange(target.checked)}
      />
      <label htmlFor={id}>{label}</label>
      {hint && (
        <span className="field-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}
