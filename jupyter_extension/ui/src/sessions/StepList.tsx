import type { Step } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { stepDetail, stepLabel } from '../i18n/wording';
import { Icon } from '../parts/Icon';

/** The steps of a start, one by one, as the node reports them. */
export function StepList({ steps }: { steps: readonly Step[] }) {
  const { t } = useSpeech();
  return (
    <ol className="steps" aria-label={t.steps.title}>
      {steps.map((step) => (
        <li
          key={step.id}
          className={`step step-${step.state}`}
          data-testid="step"
          data-step={step.id}
          data-state={step.state}
        >
          <span className="step-mark" aria-hidden="true">
            {step.state === 'done' && <Icon name="check" size={15} />}
            {step.state === 'failed' && <Icon name="cross" size={15} />}
          </span>
          <span>
            <span className="step-label">{stepLabel(t, step)}</span>
            <span className="visually-hidden">: {t.steps.state[step.state]}</span>
            {step.detail && <span className="step-detail">{stepDetail(t, step)}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}
