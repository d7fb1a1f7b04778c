import type { ToolWords } from '../en/tools';

export const tools: ToolWords = {
  settings: '화면과 소리',
  keys: '키',
  files: '파일',
  connection: '연결 상태',

  quality: '화질',
  qualities: {
    best: '최고: 실행할 때 정한 만큼',
    good: '보통',
    low: '낮음: 느린 네트워크용',
  },
  fps: '초당 프레임',
  fpsUpTo: (fps) => `최대 ${fps}`,
  size: '화면 크기',
  sizeWindow: '창 크기에 맞춤',
  scaling: '배율',
  fit: '창에 맞게 조절',
  exact: '픽셀 그대로',
  dense: '디스플레이의 모든 픽셀 사용',
  denseHint: '더 선명하지만 모든 것이 작아지고 인코딩할 양이 늘어납니다.',
  sound: '소리',
  soundOn: '데스크톱 소리 재생',
  volume: '음량',
  remembered: '화면 크기를 제외한 선택은 이 브라우저가 기억하여 모든 데스크톱에 적용합니다.',

  keysHint: '브라우저나 컴퓨터가 가로채는 키입니다. 여기에서 누르면 데스크톱으로 전달됩니다.',
  chords: {
    secure: 'Ctrl + Alt + Del',
    super: 'Super (Windows 키)',
    switch: 'Alt + Tab',
    print: 'Print Screen',
    terminal: 'Ctrl + Alt + T',
    fullScreen: 'F11',
    close: 'Ctrl + W',
    hangul: '한/영 (입력기)',
  },
  sent: (keys) => `보냄: ${keys}`,
  touch: '터치스크린',
  keyboard: '화면 키보드 열기',
  trackpad: '손가락을 트랙패드처럼 사용하여 포인터 이동',

  verdicts: {
    unknown: '측정하는 중…',
    good: '좋음',
    network: '네트워크가 느림',
    node: '노드가 느림',
    cpu: 'CPU 인코딩이 느림',
    idleGpu: 'GPU가 있지만 CPU로 인코딩 중',
    here: '이 컴퓨터가 느림',
  },
  advice: {
    unknown: '몇 초 안에 첫 측정값이 나옵니다.',
    good: '화면이 지연 없이 도착합니다.',
    network:
      '내 컴퓨터와 노드 사이의 네트워크가 느립니다. 유선으로 연결하거나 공유기에 가까이 가거나 화질을 낮추세요.',
    node: '노드의 CPU가 바빠 화면이 늦게 만들어집니다. 프레임 수나 화면 크기를 줄이고, 다음에는 CPU를 더 요청하세요.',
    cpu: '데스크톱의 CPU가 화면을 제때 인코딩하지 못합니다. 프레임 수나 화면 크기를 줄이고, 다음에는 GPU나 CPU를 더 요청하세요.',
    idleGpu: '화면은 제때 도착하지만 인코딩이 프로그램의 CPU를 사용합니다. 관리자에게 알려 주세요.',
    here: '이 컴퓨터에서 화면을 늦게 표시하고 있습니다. 다른 탭을 닫거나 프레임 수나 화면 크기를 줄이세요.',
  },
  figures: {
    fps: '초당 프레임',
    delay: '지연',
    delayParts: (node, network, here) => `노드 ${node}, 네트워크 ${network}, 이 브라우저 ${here}`,
    mbps: '대역폭',
    encoder: '인코더',
    by: { gpu: 'GPU 사용', cpu: 'CPU 사용' },
    transport: '전송 방식',
    // Beside the transport.
    way: {
      relayed: '사이트의 중계 서버(TURN)를 거칩니다',
      fallback: 'WebRTC가 연결되지 않았습니다. 중간에서 UDP가 막혀 있을 수 있습니다',
    },
    size: '화면',
    cpu: '노드의 CPU',
  },
  ms: (n) => `${n} ms`,
  mbit: (n) => `${n} Mbps`,
  percent: (n) => `${n}%`,
  notKnown: '–',
  still: '움직임이 없는 화면은 프레임을 보내지 않습니다.',
  graph: '최근 몇 분',
  graphOf: (label, least, most, now) =>
    `최근 몇 분간 ${label}: 최소 ${least}, 최대 ${most}, 현재 ${now}.`,

  elsewhere: '이 데스크톱은 다른 창에 표시되고 있습니다',
  elsewhereHint:
    '다른 컴퓨터의 창일 수도 있습니다. 그 창이 닫히면 데스크톱이 이 자리로 저절로 돌아옵니다.',
  useHere: '여기에서 사용',
  insecure:
    '이 브라우저는 HTTPS 페이지에서만 데스크톱을 표시할 수 있습니다. https 주소로 이 페이지를 여세요.',

  // A second screen.
  addScreen: '화면 추가',
  secondScreen: '두 번째 화면',
  secondHint: '첫 번째 화면의 오른쪽 가장자리 너머로 창을 끌어 오십시오.',
  closeScreen: '이 화면 닫기',
  popUpBlocked:
    '브라우저가 두 번째 화면의 창을 열지 않았습니다. 이 주소의 팝업을 허용한 뒤 다시 시도하십시오.',
  noFirst: '첫 번째 화면이 더 이상 옆에 표시되지 않습니다',
  noRoom: '이 데스크톱에는 두 번째 화면을 둘 자리가 없습니다',
  noRoomHint: '그만큼 크게 만들 수 없습니다. 창을 줄인 뒤 다시 시도하십시오.',

  leaveFull: 'Esc를 길게 누르면 전체 화면이 끝납니다.',
};
