import type { Budget, Site, Where } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { askedFor, costOf, type Asked, type Cost } from './cost';
import type { FormValues } from './form';
import { useBudget } from './useBudget';

interface Props {
  site: Site;
  values: FormValues;
  where?: Where;
}

/**
 * What a launch asks for, and what is left of it as soon as that is known. It has its place from the
 * beginning: the button below must not move away from who is about to press it.
 */
export function CostLine({ site, values, where }: Props) {
  const budget = useBudget(site);
  const asked = askedFor(values);
  // A desktop in a job that is there already costs no more than that.
  if (site.scheduler !== 'slurm' || where === 'here') {
    return null;
  }
  return <div className="cost">{asked && <CostWords budget={budget} asked={asked} />}</div>;
}

export function CostWords({ budget, asked }: { budget: Budget | null; asked: Asked }) {
  const { t, language } = useSpeech();
  const digits = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const number = (n: number): string => digits.format(n);
  const words = (cost: Cost): string => {
    if (cost.kind === 'unknown') {
      return t.cost.unknown;
    }
    const { kind, of, name, limit, left } = cost.allowance;
    const whose = t.cost.whose[of](name);
    switch (cost.kind) {
      case 'left':
        return t.cost[cost.tooMuch ? 'tooMuch' : 'left'](
          number(left),
          t.cost.hours[kind](number(limit)),
          whose,
        );
      case 'each':
        return t.cost.each(t.cost.hours[kind](number(limit)), whose);
      case 'atOnce':
        return t.cost.atOnce(t.cost.counts[kind](number(limit)), number(left), whose);
    }
  };
  const { gpus, cpus, hours } = asked;
  const asks =
    gpus > 0 ? t.cost.hours.gpu(number(gpus * hours)) : t.cost.hours.cpu(number(cpus * hours));
  const costs = budget ? costOf(budget, asked) : [];
  return (
    <p className={costs.every(isFine) ? 'quiet' : 'hint'} role="status" data-testid="cost">
      {[t.cost.asks(asks), ...costs.map(words)].join(' ')}
    </p>
  );
}

const isFine = (cost: Cost): boolean =>
  cost.kind === 'unknown' || (cost.kind === 'left' && !cost.tooMuch);
