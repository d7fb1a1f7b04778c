import type { Dictionary, Reasons } from '../en';

export const idle: Dictionary['idle'] = {
  rule: (after) => `${after} 동안 사용하지 않으면 종료됩니다.`,
  ends: (left) => `데스크톱을 사용하지 않는 것 같습니다. ${left} 후에 종료됩니다.`,
  keep: '계속 사용',
  kept: '데스크톱을 유지합니다. 사용하지 않은 시간을 처음부터 다시 셉니다.',
  told: (name) => `${name}: 사용하지 않는 것 같습니다`,
  toldHow: '다른 사용자가 GPU를 쓸 수 있도록 곧 종료됩니다. 계속 쓰려면 여세요.',
};

export const idleReasons: Reasons = {
  Idle: '{minutes}분 동안 사용하지 않아 종료하고 자원을 돌려주었습니다. 열려 있던 브라우저 {watching}개, 마지막 입력 {untouched}분 전, 작업의 사용량 {used}.',
};
