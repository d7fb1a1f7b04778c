import type { Words } from './en';

export const ko: Words = {
  tag: 'ko',
  product: 'Moonlight 데스크톱',
  caption: '계산 노드에서 GPU 데스크톱을 시작하고 이 브라우저에서 사용합니다',
  desktops: '데스크톱',
  open: (name) => `${name} 열기`,
  openCaption: (node) =>
    node ? `${node}에서 실행 중인 이 데스크톱을 봅니다` : '이 데스크톱을 봅니다',
  stop: (name) => `${name} 중지`,
  stopTitle: (name) => `${name}: 중지할까요?`,
  stopBody: '데스크톱의 모든 프로그램이 끝나고, 저장하지 않은 내용은 사라집니다.',
  stopGuest:
    '데스크톱의 모든 프로그램이 끝나고, 저장하지 않은 내용은 사라집니다. 데스크톱이 실행되던 작업은 계속됩니다.',
  stopNow: '중지',
  keep: '계속 실행',
  stopAll: '모든 데스크톱 중지',
  stopAllBody: '모든 데스크톱의 모든 프로그램이 끝나고, 저장하지 않은 내용은 사라집니다.',
  notStopped: '데스크톱을 중지하지 못했습니다',
  status: {
    pending: '대기 중',
    starting: '시작하는 중',
    running: '실행 중',
    stopping: '중지하는 중',
  },
};
