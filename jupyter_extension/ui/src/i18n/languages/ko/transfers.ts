import type { TransferWords } from '../en/transfers';

export const transfers: TransferWords = {
  title: '파일',
  older:
    '서버가 업데이트되기 전에 시작된 데스크톱이라 여기에서 파일을 주고받을 수 없습니다. 데스크톱을 다시 시작하면 사용할 수 있습니다.',
  noUpload: '이 사이트에서는 데스크톱으로 파일을 보낼 수 없습니다.',
  noDownload: '이 사이트에서는 데스크톱의 파일을 밖으로 가져올 수 없습니다.',
  send: '여기로 파일 보내기',
  sendFolder: '여기로 폴더 보내기',
  sendHint: '화면 위로 끌어다 놓은 파일도 여기에 저장됩니다.',
  newFolder: '새 폴더',
  folderName: '새 폴더 이름',
  make: '만들기',

  way: '이 폴더까지의 경로',
  place: '위치',
  home: '홈',
  sort: '정렬',
  sorts: { name: '이름', time: '최근 수정한 순서', size: '크기가 큰 순서' },
  hidden: '숨긴 항목 보기',
  free: (size) => `남은 공간 ${size}`,
  nothing: '파일이 없습니다.',
  more: (left) => `더 보기 (${left}개)`,
  cut: '이 폴더에는 여기에 표시할 수 있는 것보다 많은 항목이 있습니다.',
  folder: (name) => `폴더 ${name}`,
  choose: (name) => `${name} 선택`,
  get: (name) => `${name} 가져오기`,
  tooLarge: (most) =>
    `${most}보다 큰 파일은 여기에서 가져올 수 없습니다. 이 페이지를 전달하는 jupyter-server-proxy가 파일을 통째로 메모리에 담기 때문입니다. Moonlight 확장이 설치된 JupyterLab 등 다른 경로로 데스크톱을 열거나, 홈에서 scp로 복사하세요.`,
  getAll: (count) => `파일 ${count}개 가져오기`,

  onTheirWay: '보내는 파일',
  others: (count) => `외 ${count}개`,
  clear: '도착한 파일을 목록에서 지우기',
  states: {
    waiting: () => '대기 중',
    going: (percent) => `${percent}%`,
    paused: (percent) => `${percent}%에서 일시 중지`,
    retrying: (percent) => `${percent}%에서 끊김`,
    done: () => '도착함',
    failed: () => '보내지 못함',
  },
  again: '자동으로 이어서 보냅니다.',
  room: (needed, free) => `필요한 공간 ${needed}, 남은 공간 ${free}.`,
  pause: '일시 중지',
  pauseOf: (name) => `${name} 일시 중지`,
  goOn: '이어서 보내기',
  goOnOf: (name) => `${name} 이어서 보내기`,
  cancel: '취소',
  cancelOf: (name) => `${name} 취소`,
  summary: (done, all, failed) =>
    `파일 ${all}개 중 ${done}개가 도착했습니다.${failed > 0 ? ` ${failed}개는 보내지 못했습니다.` : ''}`,

  drop: '파일을 놓으면 바탕 화면에 저장됩니다',
  dropIn: (folder) => `파일을 놓으면 저장됩니다: ${folder}`,
};
