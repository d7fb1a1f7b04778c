import type { Fate } from '../../viewer/fate';
import type { Dictionary } from './en';
import { choices } from './ko/choices';
import { cost } from './ko/cost';
import { desktops } from './ko/desktops';
import { idle, idleReasons } from './ko/idle';
import { node } from './ko/node';
import { reasons } from './ko/reasons';
import { preview } from './ko/preview';
import { ready } from './ko/ready';
import { sharing } from './ko/sharing';
import { when } from './ko/when';
import { tools } from './ko/tools';
import { transfers } from './ko/transfers';

const runsOn: Record<Fate, string> = {
  on: '데스크톱은 자체 작업에서 계속 실행 중입니다.',
  elsewhere: '데스크톱은 시작된 작업이 끝날 때까지 계속 실행됩니다.',
  unknown: '데스크톱은 계속 실행 중일 수 있습니다.',
  with: '데스크톱은 이 서버가 시작된 작업 안에서 실행되며 그 작업과 함께 끝납니다.',
};

export const ko: Dictionary = {
  product: 'Moonlight',
  tagline: '브라우저에서 쓰는 GPU 데스크톱',
  language: '언어',
  signedInAs: (user) => `${user} 님으로 로그인됨`,
  skipToContent: '본문으로 건너뛰기',
  close: '닫기',
  tryAgain: '다시 시도',
  reloadPage: '페이지 새로고침',
  loading: '불러오는 중…',

  duration: ({ hours, minutes, seconds }) =>
    [
      hours > 0 ? `${hours}시간` : '',
      minutes > 0 ? `${minutes}분` : '',
      seconds > 0 || (hours === 0 && minutes === 0) ? `${seconds}초` : '',
    ]
      .filter(Boolean)
      .join(' '),

  link: {
    lost: '포털과 연결이 끊겼습니다. 다시 연결하는 중입니다',
    again: '다시 시도하는 중입니다',
    polling: '실시간 알림이 이 브라우저에 전달되지 않아 몇 초마다 상태를 확인합니다.',
    expired: '로그인이 만료되었습니다. 페이지를 새로고침하여 다시 로그인하세요.',
    stopped:
      '이 페이지를 제공하던 Jupyter 서버가 종료되었습니다. 마지막으로 확인된 상태를 표시합니다. 서버를 ' +
      '다시 시작하면 이 페이지가 저절로 이어집니다.',
    startServer: '서버 시작',
  },

  problem: {
    network: '포털이 응답하지 않습니다. 네트워크 연결을 확인한 뒤 다시 시도하세요.',
    gateway: '지금은 포털에 연결할 수 없습니다. 잠시 후 다시 시도하세요.',
    stopped: '이 페이지를 제공하던 Jupyter 서버가 종료되었습니다. JupyterHub에서 다시 시작하세요.',
    badAnswer: (status) =>
      `포털의 응답을 이해할 수 없습니다(HTTP ${status}). 페이지를 새로고침하고, 계속되면 관리자에게 알려 주세요.`,
    page: '페이지를 표시할 수 없습니다. 새로고침하고, 계속되면 관리자에게 알려 주세요.',
  },

  launch: {
    title: '새 데스크톱',
    images: '무엇을 사용하시겠습니까?',
    noImages: '아직 제공되는 데스크톱이 없습니다. 관리자에게 추가를 요청하세요.',
    noneUsable: '지금 사용할 수 있는 데스크톱이 없습니다. 관리자에게 문의하세요.',
    notInstalled: (n, more) => `설치되지 않은 이미지가 ${n}개${more ? ' 더' : ''} 있습니다`,
    notUsable: (n, more) => `사용할 수 없는 이미지가 ${n}개${more ? ' 더' : ''} 있습니다`,
    askForImages: '관리자가 설치할 수 있습니다.',
    forAdmins: '관리자용:',
    launch: '실행',
    launching: '실행 요청 중…',
    retrying: (attempt) => `응답이 없어 다시 시도하는 중입니다 (${attempt}회)…`,
    putOff: (seconds) => `실행 요청이 너무 많아 ${seconds}초 후에 계속합니다…`,
    options: '옵션',
    queueName: (partition, qos) =>
      qos ? `파티션 ${partition}, QoS ${qos}` : `파티션 ${partition}`,
    limitNear: (live, max) =>
      `데스크톱을 ${max}개 중 ${live}개 사용하고 있습니다. 새로 실행하려면 먼저 하나를 중지하세요.`,
    summary: (hours, cpus, memory, gpus, size, fps) =>
      `${hours}시간 · CPU ${cpus} · ${memory} GB · GPU ${gpus} · ${size} · ${fps} fps`,
    bitrate: (mbits) => `${mbits} Mbps`,
    keyboard: (name) => `키보드: ${name}`,
    where: '어디에서 실행할까요?',
    here: '현재 작업',
    hereHint: '바로 시작됩니다. 작업의 자원을 함께 쓰고 작업과 함께 끝납니다.',
    job: '새 작업',
    jobHint: '대기할 수 있습니다. 자원을 따로 씁니다.',
    timeLeft: (left) => `${left} 남음`,
    timeUnknown: '남은 시간: 알 수 없음',
    screen: (size, fps) => `${size} · ${fps} fps`,
  },

  allocation: {
    cpus: (n) => (n === null ? 'CPU: 알 수 없음' : `CPU ${n}`),
    memory: (gb) => (gb === null ? '메모리: 알 수 없음' : `${gb} GB`),
    gpus: (n) => (n === null ? 'GPU: 알 수 없음' : `GPU ${n}`),
    owned: (what) => `작업의 자원: ${what}`,
    shared: (what, door) => `작업의 자원: ${what} (함께 쓰는 프로그램: ${door})`,
    others: '다른 프로그램',
  },

  doors: {
    jupyterlab: 'JupyterLab',
    proxy: 'JupyterLab',
    hub: 'JupyterHub',
    ood: 'Open OnDemand',
    portal: '포털',
    cli: '터미널',
    api: '프로그램',
    here: '작업',
  },

  field: {
    hours: '사용 시간',
    cpus: 'CPU',
    memory_gb: '메모리 (GB)',
    gpus: 'GPU',
    resolution: '화면 크기',
    width: '너비',
    height: '높이',
    fps: '초당 프레임',
    bitrate_kbps: '최대 비트레이트 (Mbps)',
    keyboard: '키보드 레이아웃',
    keyboardHint:
      '지금 사용 중인 키보드 기준. 한국어, 일본어, 중국어를 고르면 설치된 입력기가 함께 시작됩니다: 한/영 키 또는 Ctrl+Space.',
    custom: '다른 크기…',
    followWindow: '창 크기에 맞춤',
    followHint: '브라우저 창의 크기를 따릅니다',
    range: (min, max) => `${min} ~ ${max}`,
    sizeRange: (minW, minH, maxW, maxH) => `${minW} × ${minH} ~ ${maxW} × ${maxH}`,
    notNumber: (label) => `${label}: 숫자를 입력하세요.`,
    notWhole: (label) => `${label}: 정수를 입력하세요.`,
    outOfRange: (label, min, max) => `${label}: 이 사이트에서는 ${min} ~ ${max}만 허용됩니다.`,
  },

  keyboardVariants: {
    nodeadkeys: '데드 키 없음',
    intl: '국제',
    'altgr-intl': '국제, AltGr 사용',
    mac: 'Mac',
    dvorak: '드보락',
    colemak: '콜맥',
    neo: 'Neo 2',
    bepo: 'BÉPO',
  },

  sessions: {
    title: '내 데스크톱',
    none: '아직 데스크톱이 없습니다.',
    noneHint: '하나를 고르고 실행을 누르세요. 이 브라우저에서 바로 열립니다.',
    couldNotLoad: '데스크톱 목록을 불러올 수 없습니다.',
  },

  status: {
    pending: '대기 중',
    starting: '시작하는 중',
    running: '실행 중',
    stopping: '중지하는 중',
    completed: '종료됨',
    failed: '실패',
    cancelled: '중지됨',
    timeout: '시간 만료',
  },

  queue: {
    position: (position, pending) => `${pending}개 중 ${position}번째`,
    positionAlone: (position) => `${position}번째`,
    positionAtLeast: (position) => `${position}번째 이후`,
    place: '대기 순서',
    reason: '대기 이유',
    estimate: '예상 시작',
    estimateValue: (moment, relative) => `약 ${moment} (${relative})`,
    noEstimate: '아직 알 수 없음',
    waiting: '배치 시스템의 응답을 기다리고 있습니다.',
  },

  steps: {
    title: '데스크톱을 시작하는 중',
    claim: '디스플레이와 포트 확보',
    xserver: 'X 서버 시작',
    desktop: '데스크톱 시작',
    host: '화면 전송 시작',
    picture: '첫 화면 기다리기',
    gateway: '게이트웨이 열기',
    state: { waiting: '대기', running: '진행 중', done: '완료', failed: '실패' },
  },

  session: {
    node: '노드',
    display: '디스플레이',
    screen: '화면',
    encoder: '인코더',
    openGl: 'OpenGL',
    sound: '소리',
    soundOn: '켜짐',
    soundOff: '꺼짐',
    clipboard: '클립보드',
    files: '파일',
    ways: {
      both: '양방향',
      to_desktop: '데스크톱으로만',
      from_desktop: '데스크톱에서만',
      off: '꺼짐',
    },
    job: '작업',
    id: '세션',
    timeLeft: '남은 시간',
    ends: (moment) => `${moment}까지`,
    endsSoon: '작업을 저장하세요. 이 데스크톱이 곧 종료됩니다.',
    launchedAt: '실행 요청',
    from: (door) => `${door}에서 시작`,
    endUnknown: '알 수 없음. 작업과 함께 끝납니다',
    endedAt: '종료',
    connect: '연결',
    connectHint: '새 탭에서 열림',
    show: '진행 상황 보기',
    stop: '중지',
    log: '로그',
    startAgain: '다시 시작',
    startingAgain: '실행 요청 중…',
    notes: '참고',
    stale: {
      scheduler: (moment) =>
        `${moment}부터 배치 시스템이 응답하지 않아 마지막으로 확인된 상태를 표시합니다.`,
      node: (node, moment) =>
        `${moment}부터 노드 ${node}에서 보고가 없어 마지막으로 확인된 상태를 표시합니다.`,
      unclear: (moment) =>
        `${moment}부터 배치 시스템의 응답이 확실하지 않아 마지막으로 확인된 상태를 표시합니다.`,
      elsewhere:
        '다른 컴퓨터나 클러스터에서 시작한 세션이라 여기에서는 상태를 물어볼 수 없습니다. 데스크톱이 직접 보고한 내용을 표시합니다.',
      unknown: (moment) =>
        `${moment}부터 상태를 확인할 수 없어 마지막으로 확인된 상태를 표시합니다.`,
    },
    resources: '요청 자원',
    unknownReason: '기록된 이유가 없습니다.',
  },

  stopDialog: {
    title: '이 데스크톱을 중지할까요?',
    body: '저장하지 않은 작업은 사라집니다.',
    bodyGuest: '저장하지 않은 작업은 사라집니다. 데스크톱이 실행되는 Slurm 작업은 계속됩니다.',
    titlePending: '대기열에서 나갈까요?',
    bodyPending: '데스크톱이 아직 시작되지 않았습니다. 대기 순서를 잃게 됩니다.',
    confirm: '데스크톱 중지',
    confirmPending: '대기열에서 나가기',
    cancel: '그대로 두기',
    stopping: '중지하는 중…',
  },

  logDialog: {
    title: (name) => `${name} 로그`,
    which: '로그 파일',
    refresh: '새로고침',
    copy: '복사',
    copied: '복사됨',
    copyFailed: '브라우저가 복사를 허용하지 않았습니다. 텍스트를 선택해 직접 복사하세요.',
    none: '아직 로그가 없습니다. 작업이 시작되면 나타납니다.',
    empty: '로그가 비어 있습니다.',
    truncated: (size) => `로그의 끝부분만 표시합니다. 전체 크기는 ${size}입니다.`,
  },

  native: {
    title: 'Moonlight 클라이언트로 연결',
    missing: '이 사이트에서는 Moonlight 클라이언트를 사용할 수 없습니다.',
    add: 'Moonlight에 다음 주소의 컴퓨터를 추가하세요.',
    copy: '주소 복사',
    reach: '내 컴퓨터에서 이 주소에 접속할 수 있어야 합니다. 필요하면 VPN을 사용하세요.',
    choose: 'Moonlight에서 그 컴퓨터를 선택하면 PIN이 표시됩니다.',
    type: '그 PIN을 여기에 입력하세요.',
    pin: 'PIN',
    name: '이름 (선택 사항)',
    pair: '페어링',
    pairing: '페어링하는 중…',
    paired: (name) => `페어링됨: ${name}. 이제 연결할 수 있습니다.`,
    pinWrong: 'Moonlight에 표시된 숫자 네 자리를 입력하세요.',
    pinRefused:
      'Moonlight가 이 PIN을 받아들이지 않았습니다. 컴퓨터를 다시 선택해 새 PIN을 입력하세요.',
    nameWrong: '다른 이름을 입력하세요. 글자, 숫자, 공백으로 1~40자까지 쓸 수 있습니다.',
    clients: '페어링된 클라이언트',
    noClients: '아직 페어링된 클라이언트가 없습니다.',
    blocked: '차단됨',
    remove: '제거',
    removeOne: (name) => `${name} 제거`,
    removed: (name) => `${name} 클라이언트를 제거했습니다.`,
  },

  removeDialog: {
    title: '이 클라이언트를 제거할까요?',
    body: '스트리밍이 끊깁니다. 다시 페어링하기 전에는 이 데스크톱과 이후의 데스크톱에 연결할 수 없습니다.',
    cancel: '그대로 두기',
    removing: '제거하는 중…',
  },

  clipboard: {
    title: '클립보드',
    text: '텍스트',
    get: '데스크톱에서 가져오기',
    getting: '가져오는 중…',
    send: '데스크톱으로 보내기',
    sending: '보내는 중…',
    got: '데스크톱 클립보드의 내용을 가져왔습니다.',
    gotPart: '데스크톱 클립보드의 내용이 너무 길어 앞부분만 가져왔습니다.',
    gotNothing: '데스크톱 클립보드에 텍스트가 없습니다.',
    sent: '데스크톱 클립보드로 보냈습니다. 데스크톱에서 붙여넣으세요.',
    onlyToDesktop: '이 사이트에서는 데스크톱의 텍스트를 밖으로 가져올 수 없습니다.',
    onlyFromDesktop: '이 사이트에서는 데스크톱으로 텍스트를 보낼 수 없습니다.',
  },

  viewer: {
    waiting: '준비되면 이 자리에서 데스크톱이 저절로 열립니다. 나중에 다시 와도 됩니다.',
    stopping: '데스크톱을 중지하고 있습니다.',
    frame: (name) => `${name}: 데스크톱 화면`,
    toolbar: '데스크톱 도구',
    showTools: '데스크톱 도구 보이기',
    hideTools: '데스크톱 도구 숨기기',
    fullScreen: '전체 화면',
    leaveFullScreen: '전체 화면 끝내기',
    reload: '화면 다시 불러오기',
    back: '내 데스크톱으로',
    mine: '내 데스크톱',
    another: '이 데스크톱을 시작한 페이지나 카드에서 새로 시작하십시오.',
    shortcut: 'Ctrl+Alt+Shift+M을 누르면 데스크톱에서 이 도구로 옵니다.',
    interrupted: (fate) =>
      fate === 'on'
        ? '데스크톱과의 연결이 끊겼습니다. 데스크톱은 계속 실행 중이며, 다시 연결하고 있습니다…'
        : `데스크톱과의 연결이 끊겨 다시 연결하고 있습니다… ${runsOn[fate]}`,
    offline: (fate) =>
      fate === 'with'
        ? '컴퓨터가 오프라인입니다. 다시 연결하고 있습니다…'
        : '컴퓨터가 오프라인입니다. 데스크톱은 계속 실행 중이며, 다시 연결하고 있습니다…',
    inFront: {
      away: (fate) =>
        `데스크톱으로 이어 주는 서버가 응답하지 않아 다시 시도하고 있습니다… ${runsOn[fate]}`,
      pending: (fate) =>
        `JupyterHub가 데스크톱으로 이어 주는 서버를 종료하거나 다시 시작하고 있어 기다리는 중입니다… ${runsOn[fate]}`,
      stopped: (fate, hub) => {
        const again = hub ? 'JupyterHub에서 서버를 다시 시작하면' : '서버를 다시 시작하면';
        return fate === 'with'
          ? '데스크톱으로 이어 주던 Jupyter 서버가 종료되었습니다. 데스크톱도 그 서버의 작업에서 실행되어 함께 끝났습니다.'
          : `데스크톱으로 이어 주던 Jupyter 서버가 종료되었습니다. ${runsOn[fate]} ${again} 화면이 저절로 돌아옵니다.`;
      },
      login: (fate) =>
        `로그인이 만료되었거나 데스크톱으로 가는 주소가 다른 페이지로 연결됩니다. ${runsOn[fate]} 페이지를 새로고침하여 다시 로그인하세요.`,
      unknown: (fate) =>
        `데스크톱 대신 이 페이지가 알지 못하는 응답이 왔습니다. ${runsOn[fate]} 페이지를 새로고침하고, 계속되면 관리자에게 알려 주세요.`,
    },
    blocked:
      '화면을 받을 수 없습니다. 이 페이지가 WebSocket을 요청했지만 열리지 않았고, 다른 요청에는 응답이 ' +
      '옵니다. 브라우저와 포털 사이의 프록시가 Upgrade와 Connection 헤더를 통과시켜야 합니다. 관리자에게 ' +
      '알려 주세요. 데스크톱은 계속 실행 중입니다.',
    restored: '다시 연결되었습니다',
    hostEnded: {
      host: '노드에서 화면을 보내는 프로그램이 종료되어 다시 시작하고 있습니다. 데스크톱과 열려 있는 창은 그대로 있습니다.',
      pausing:
        '화면을 보내는 프로그램이 연달아 종료되었습니다. 이 페이지를 보고 있는 동안 몇 초마다 다시 시도합니다. 데스크톱은 계속 실행 중이며, 종료된 까닭은 데스크톱의 ‘참고’에 있습니다.',
    },
    anotherStarts: '다른 창이 화면을 받기 시작하고 있습니다. 이 창은 그다음입니다.',
    endsIn: (left) => `${left} 뒤에 데스크톱이 종료됩니다. 작업을 저장하세요.`,
    dismiss: '닫기',
    ended: '데스크톱이 종료되었습니다',
    unknown: '알 수 없는 데스크톱입니다',
    unknownHint: '종료된 지 오래되어 기록이 지워졌거나 다른 사용자의 데스크톱입니다.',
  },

  preview,
  ready,
  idle,
  sharing,
  when,
  tools,
  transfers,

  desktops,

  choices,

  cost,

  reasons: { ...reasons, ...node, ...idleReasons },

  windowTitle: {
    home: 'Moonlight 데스크톱',
    queue: (position) => `대기 ${position}번째`,
    pending: '대기 중',
    starting: '시작하는 중',
    stopping: '중지하는 중',
    ended: '종료됨',
    unknown: '찾을 수 없음',
  },

  announce: {
    status: (name, status) => `${name}: ${status}`,
  },
};

export default { name: '한국어', words: ko };
