import type { ReadyWords } from '../en/ready';

export const ready: ReadyWords = {
  offer: '시간이 걸릴 수 있습니다. 데스크톱이 준비되면 이 브라우저가 알려 드릴 수 있습니다.',
  yes: '알림 받기',
  no: '괜찮습니다',
  willTell: '이 페이지가 열려 있으면, 준비되었을 때 이 브라우저가 알려 드립니다.',
  told: (name) => `${name}: 준비되었습니다`,
  where: (node) => `${node}에서 실행 중입니다.`,
  title: (name) => `(준비됨) ${name}`,
};
