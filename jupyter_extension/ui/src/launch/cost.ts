import type { Allowance, Budget, CountedKind } from '../api/types';
import { numberIn, type FormValues } from './form';

/** What a launch asks for: so many of something, for so many hours. */
export interface Asked {
  gpus: number;
  cpus: number;
  hours: number;
}

/** Nothing while a number of the form is none. */
export function askedFor(values: FormValues): Asked | null {
  const { gpus, cpus, hours } = values;
  const asked = { gpus: numberIn(gpus), cpus: numberIn(cpus), hours: numberIn(hours) };
  return Object.values(asked).every((n) => Number.isFinite(n) && n >= 0) ? asked : null;
}

/** How many hours of it a launch takes; nothing where that is the site's own reckoning. */
function hoursOf(kind: CountedKind, { gpus, cpus, hours }: Asked): number | null {
  const of: Partial<Record<CountedKind, number>> = { gpu: gpus, cpu: cpus, node: 1, time: 1 };
  const many = of[kind];
  return many === undefined ? null : many * hours;
}

const countOf = (kind: CountedKind, { gpus, cpus }: Asked): number | null =>
  ({ gpu: gpus, cpu: cpus, node: 1, jobs: 1, billing: null, time: null })[kind];

export type Cost =
  | { kind: 'unknown' }
  /** `tooMuch`: it asks for more than that. */
  | { kind: 'left'; allowance: Allowance; tooMuch: boolean }
  | { kind: 'each'; allowance: Allowance }
  | { kind: 'atOnce'; allowance: Allowance };

/**
 * What is to be said of a budget before a launch: of what counts for it the one that has least left, and
 * all that it asks too much of. Nothing where nobody is held to limits.
 */
export function costOf(budget: Budget, asked: Asked): Cost[] {
  if (budget.state !== 'known') {
    return budget.state === 'unknown' ? [{ kind: 'unknown' }] : [];
  }
  const lacks = (allowance: Allowance): boolean =>
    (hoursOf(allowance.kind, asked) ?? 0) > allowance.left;
  const counts = budget.hours.filter(({ kind }) => hoursOf(kind, asked) !== 0);
  const told = counts.filter(lacks);
  if (told.length === 0 && counts.length > 0) {
    const launches = (allowance: Allowance): number =>
      allowance.left / (hoursOf(allowance.kind, asked) ?? Infinity);
    const reckoned = counts.filter(({ kind }) => hoursOf(kind, asked) !== null);
    told.push(...[...reckoned.sort((a, b) => launches(a) - launches(b)), ...counts].slice(0, 1));
  }
  return [
    ...told.map((allowance) => ({ kind: 'left' as const, allowance, tooMuch: lacks(allowance) })),
    ...budget.each.filter(lacks).map((allowance) => ({ kind: 'each' as const, allowance })),
    ...budget.at_once
      .filter(({ kind, left }) => (countOf(kind, asked) ?? 0) > left)
      .map((allowance) => ({ kind: 'atOnce' as const, allowance })),
  ];
}
