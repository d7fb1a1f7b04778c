import type { Dictionary } from '../en';

export const cost: Dictionary['cost'] = {
  hours: {
    gpu: (n) => `${n} GPU시간`,
    cpu: (n) => `${n} CPU시간`,
    node: (n) => `${n} 노드시간`,
    billing: (n) => `${n} 과금시간`,
    time: (n) => `${n}시간`,
    jobs: (n) => `작업 ${n}개`,
  },
  counts: {
    gpu: (n) => `GPU ${n}개`,
    cpu: (n) => `CPU ${n}개`,
    node: (n) => `노드 ${n}개`,
    billing: (n) => `과금 단위 ${n}`,
    time: (n) => `${n}시간`,
    jobs: (n) => `작업 ${n}개`,
  },
  whose: {
    user: () => '본인 한도',
    account: (name) => `계정 ${name}의 한도`,
    qos: (name) => `QoS ${name}의 한도`,
  },
  asks: (hours) => `최대 ${hours}을 요청합니다.`,
  left: (left, limit, whose) => `남은 양: ${limit} 중 ${left} (${whose}).`,
  tooMuch: (left, limit, whose) => `남은 양보다 많습니다: ${limit} 중 ${left} (${whose}).`,
  each: (limit, whose) => `작업 하나가 요청할 수 있는 양보다 많습니다: ${limit} (${whose}).`,
  atOnce: (limit, left, whose) =>
    `동시에 쓸 수 있는 ${limit} 중 ${left}개가 비어 있습니다 (${whose}). 다른 작업이 끝날 때까지 기다려야 합니다.`,
  unknown: '한도가 얼마나 남았는지 알 수 없습니다. Slurm이 응답하지 않습니다.',
};
