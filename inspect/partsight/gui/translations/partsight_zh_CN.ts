<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>Start</source>
        <translation>启动</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Trigger</source>
        <translation>触发</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>确认</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>未连接到检测站。</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>没有需要确认的内容。</translation>
    </message>
    <message>
        <source>Not while the station is: {state}.</source>
        <translation>检测站处于“{state}”时不可用。</translation>
    </message>
</context>
<context>
    <name>Banners</name>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected. For {since}.</source>
        <translation>旁路：零件照常检测，但不剔除。已持续 {since}。</translation>
    </message>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected.</source>
        <translation>旁路：零件照常检测，但不剔除。</translation>
    </message>
    <message>
        <source>CHALLENGE TEST: the parts are test parts.</source>
        <translation>挑战测试：当前零件为测试件。</translation>
    </message>
    <message>
        <source>SIMULATION: pictures and parts are not real.</source>
        <translation>模拟：图像和零件不是真实的。</translation>
    </message>
    <message>
        <source>The station does not answer since {since}. What you see is old.</source>
        <translation>检测站自 {since} 起无响应。当前显示的是旧数据。</translation>
    </message>
    <message>
        <source>No connection to the station since {since}. What you see is old. Trying again …</source>
        <translation>自 {since} 起与检测站断开连接。当前显示的是旧数据。正在重试……</translation>
    </message>
</context>
<context>
    <name>Bar</name>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>重做</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>放弃</translation>
    </message>
    <message>
        <source>Save …</source>
        <translation>保存…</translation>
    </message>
    <message>
        <source>active</source>
        <translation>使用中</translation>
    </message>
    <message>
        <source>Version {n}</source>
        <translation>版本 {n}</translation>
    </message>
    <message>
        <source>Nothing is changed.</source>
        <translation>没有修改。</translation>
    </message>
    <message>
        <source>No connection to the station. Your changes are kept.</source>
        <translation>与工位没有连接。您的修改仍然保留。</translation>
    </message>
    <message>
        <source>This recipe cannot be saved here: its file is not in the station&apos;s own folder.</source>
        <translation>此配方无法在这里保存：其文件不在工位自己的文件夹中。</translation>
    </message>
</context>
<context>
    <name>Bypass</name>
    <message>
        <source>BYPASS</source>
        <translation>旁路</translation>
    </message>
    <message>
        <source>Why? (kept in the audit trail)</source>
        <translation>原因？（记入审计记录）</translation>
    </message>
    <message>
        <source>Reject nothing</source>
        <translation>停止剔除</translation>
    </message>
    <message>
        <source>ON for {since}: parts are inspected, nothing is rejected. A new start ends it, too.</source>
        <translation>已开启 {since}：零件照常检测，但不剔除。重新启动也会结束旁路。</translation>
    </message>
    <message>
        <source>ON: parts are inspected, nothing is rejected.</source>
        <translation>已开启：零件照常检测，但不剔除。</translation>
    </message>
    <message>
        <source>Off. Parts would be inspected, and nothing rejected, until somebody ends it.</source>
        <translation>已关闭。开启后零件照常检测但不剔除，直到有人结束。</translation>
    </message>
    <message>
        <source>Reject again</source>
        <translation>恢复剔除</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>与工位没有连接。</translation>
    </message>
    <message>
        <source>Say why first.</source>
        <translation>请先填写原因。</translation>
    </message>
</context>
<context>
    <name>ChallengePage</name>
    <message>
        <source>Challenge test</source>
        <translation>挑战测试</translation>
    </message>
    <message>
        <source>Why? Choose, or type</source>
        <translation>原因？请选择或输入</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Start the test</source>
        <translation>开始测试</translation>
    </message>
    <message>
        <source>While it runs, Ready is 0 and only the parts that it asks for are judged.</source>
        <translation>测试期间 Ready 为 0，只判定测试要求放入的零件。</translation>
    </message>
    <message>
        <source>Kit of known parts</source>
        <translation>标准样件组</translation>
    </message>
    <message>
        <source>Change …</source>
        <translation>修改…</translation>
    </message>
    <message>
        <source>There is no kit yet. An engineer says which known parts belong to it.</source>
        <translation>还没有样件组。由工程师确定包含哪些已知零件。</translation>
    </message>
    <message>
        <source>The last test has failed. Ready stays 0, and parts are rejected, until a test has passed.</source>
        <translation>上次测试未通过。在测试通过之前 Ready 保持为 0，零件全部剔除。</translation>
    </message>
    <message>
        <source>A test is due: {why}.</source>
        <translation>需要进行测试：{why}。</translation>
    </message>
    <message>
        <source>Ready stays 0 until it has passed.</source>
        <translation>测试通过之前 Ready 保持为 0。</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>与工位没有连接。</translation>
    </message>
    <message>
        <source>There is no kit yet.</source>
        <translation>还没有样件组。</translation>
    </message>
    <message>
        <source>No test yet.</source>
        <translation>还没有测试。</translation>
    </message>
    <message>
        <source>Last test: {outcome}, {at}, by {who}.</source>
        <translation>上次测试：{outcome}，{at}，{who}。</translation>
    </message>
</context>
<context>
    <name>ClassCard</name>
    <message>
        <source>Off: boxes of this class count for nothing.</source>
        <translation>关闭：此类别的检出不计入。</translation>
    </message>
    <message>
        <source>{name}: defect from</source>
        <translation>{name}：缺陷起始分</translation>
    </message>
    <message>
        <source>{name}: doubtful from</source>
        <translation>{name}：可疑起始分</translation>
    </message>
    <message>
        <source>Doubtful from</source>
        <translation>可疑起始</translation>
    </message>
    <message>
        <source>{name}: smallest size</source>
        <translation>{name}：最小尺寸</translation>
    </message>
    <message>
        <source>Defect from</source>
        <translation>缺陷起始</translation>
    </message>
    <message>
        <source>Smallest size</source>
        <translation>最小尺寸</translation>
    </message>
    <message>
        <source>● changed</source>
        <translation>● 已修改</translation>
    </message>
</context>
<context>
    <name>CompareDialog</name>
    <message>
        <source>Version {n} and yours</source>
        <translation>版本 {n} 与您的修改</translation>
    </message>
    <message>
        <source>Put your changes onto version {n}, or drop them. Nothing is saved by this.</source>
        <translation>将您的修改套用到版本 {n}，或放弃修改。此操作不会保存。</translation>
    </message>
    <message>
        <source>Put mine onto it</source>
        <translation>套用我的修改</translation>
    </message>
    <message>
        <source>Load it</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>What</source>
        <translation>项目</translation>
    </message>
    <message>
        <source>You began with</source>
        <translation>您开始时</translation>
    </message>
    <message>
        <source>Saved meanwhile</source>
        <translation>期间已保存</translation>
    </message>
    <message>
        <source>Yours</source>
        <translation>您的</translation>
    </message>
</context>
<context>
    <name>Detail</name>
    <message>
        <source>Back</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Back to all parts (Esc)</source>
        <translation>返回所有零件 (Esc)</translation>
    </message>
    <message>
        <source>Newer</source>
        <translation>较新</translation>
    </message>
    <message>
        <source>Older</source>
        <translation>较旧</translation>
    </message>
    <message>
        <source>The next newer part (left arrow, Page up)</source>
        <translation>下一个较新的零件（左箭头、Page Up）</translation>
    </message>
    <message>
        <source>The next older part (right arrow, Page down)</source>
        <translation>下一个较旧的零件（右箭头、Page Down）</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>复检</translation>
    </message>
    <message>
        <source>Say what you think of this part</source>
        <translation>说出您对该零件的判断</translation>
    </message>
</context>
<context>
    <name>Effect</name>
    <message>
        <source>Part</source>
        <translation>零件</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>判定</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Parts whose verdict would be another</source>
        <translation>判定会改变的零件</translation>
    </message>
    <message>
        <source>Before</source>
        <translation>之前</translation>
    </message>
    <message>
        <source>After</source>
        <translation>之后</translation>
    </message>
    <message>
        <source>No parts of this recipe to try it on yet</source>
        <translation>此配方还没有可试算的零件</translation>
    </message>
    <message>
        <source>No verdict of the last {n} parts would change</source>
        <translation>最近 {n} 个零件的判定都不会改变</translation>
    </message>
    <message>
        <source>{n} of the last {all} verdicts would change</source>
        <translation>最近 {all} 个判定中有 {n} 个会改变</translation>
    </message>
    <message>
        <source>{n} parts cannot be judged again: no boxes were stored, or another model found them.</source>
        <translation>{n} 个零件无法重新判定：未保存检出框，或由其他模型检出。</translation>
    </message>
    <message>
        <source>The effect cannot be shown</source>
        <translation>无法显示效果</translation>
    </message>
</context>
<context>
    <name>Facts</name>
    <message>
        <source>Part</source>
        <translation>零件</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>The line&apos;s answer</source>
        <translation>产线处理</translation>
    </message>
    <message>
        <source>Mode</source>
        <translation>模式</translation>
    </message>
    <message>
        <source>{verdict}, too late: not sent</source>
        <translation>{verdict}，过迟：未发送</translation>
    </message>
    <message>
        <source>The model said</source>
        <translation>模型判断</translation>
    </message>
    <message>
        <source>What was found</source>
        <translation>检出内容</translation>
    </message>
    <message>
        <source>and {n} more</source>
        <translation>另有 {n} 项</translation>
    </message>
    <message>
        <source>score {n}</source>
        <translation>得分 {n}</translation>
    </message>
    <message>
        <source>camera {name}</source>
        <translation>相机 {name}</translation>
    </message>
    <message>
        <source>What people say</source>
        <translation>人工意见</translation>
    </message>
    <message>
        <source>Nobody has looked at it yet.</source>
        <translation>尚无人查看。</translation>
    </message>
    <message>
        <source>Where the time went</source>
        <translation>时间分布</translation>
    </message>
    <message>
        <source>Verdict after {ms}, allowed {deadline}</source>
        <translation>{ms} 后判定，允许 {deadline}</translation>
    </message>
    <message>
        <source>Judged by</source>
        <translation>判定依据</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>编号</translation>
    </message>
    <message>
        <source>The picture was simulated.</source>
        <translation>图像为模拟。</translation>
    </message>
    <message>
        <source>The verdict is right</source>
        <translation>判定正确</translation>
    </message>
    <message>
        <source>The verdict is wrong</source>
        <translation>判定错误</translation>
    </message>
    <message>
        <source>the part is good</source>
        <translation>零件合格</translation>
    </message>
    <message>
        <source>the part is bad</source>
        <translation>零件不合格</translation>
    </message>
    <message>
        <source>boxes confirmed: {n}</source>
        <translation>已确认框数：{n}</translation>
    </message>
</context>
<context>
    <name>FaultCard</name>
    <message>
        <source>What to do: {cure}</source>
        <translation>处理方法：{cure}</translation>
    </message>
    <message>
        <source>{since} to {until}  ·  {key}</source>
        <translation>{since} 至 {until}  ·  {key}</translation>
    </message>
    <message>
        <source>Since {since}, {age}  ·  {key}</source>
        <translation>自 {since} 起，{age}  ·  {key}</translation>
    </message>
    <message>
        <source>stays until it is acknowledged</source>
        <translation>需确认后才会消除</translation>
    </message>
</context>
<context>
    <name>FaultsPage</name>
    <message>
        <source>Faults</source>
        <translation>故障</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>确认</translation>
    </message>
    <message>
        <source>No fault</source>
        <translation>没有故障</translation>
    </message>
    <message>
        <source>Over</source>
        <translation>已结束</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>没有需要确认的内容。</translation>
    </message>
</context>
<context>
    <name>FilterBar</name>
    <message>
        <source>Part number</source>
        <translation>零件编号</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>From</source>
        <translation>从</translation>
    </message>
    <message>
        <source>until</source>
        <translation>至</translation>
    </message>
    <message>
        <source>Any time</source>
        <translation>全部时间</translation>
    </message>
    <message>
        <source>Last hour</source>
        <translation>最近 1 小时</translation>
    </message>
    <message>
        <source>Last 8 hours</source>
        <translation>最近 8 小时</translation>
    </message>
    <message>
        <source>Last 24 hours</source>
        <translation>最近 24 小时</translation>
    </message>
    <message>
        <source>Last 7 days</source>
        <translation>最近 7 天</translation>
    </message>
    <message>
        <source>Own times …</source>
        <translation>自定义时间…</translation>
    </message>
    <message>
        <source>All reasons</source>
        <translation>全部原因</translation>
    </message>
    <message>
        <source>All recipes</source>
        <translation>全部配方</translation>
    </message>
</context>
<context>
    <name>FrameView</name>
    <message>
        <source>No picture yet</source>
        <translation>尚无图像</translation>
    </message>
</context>
<context>
    <name>Guide</name>
    <message>
        <source>Break off</source>
        <translation>中止</translation>
    </message>
    <message>
        <source>Remark (what was not as it should be)</source>
        <translation>备注（哪里不正常）</translation>
    </message>
    <message>
        <source>The part is in</source>
        <translation>零件已放入</translation>
    </message>
    <message>
        <source>Right part, treated as it should be</source>
        <translation>零件正确，处理正确</translation>
    </message>
    <message>
        <source>Wrong part, or not treated so</source>
        <translation>零件不对，或处理不对</translation>
    </message>
    <message>
        <source>Part {n} of {all}</source>
        <translation>第 {n} 件，共 {all} 件</translation>
    </message>
    <message>
        <source>The part is being judged.</source>
        <translation>正在判定零件。</translation>
    </message>
    <message>
        <source>Put in part {n}: {name}</source>
        <translation>请放入第 {n} 件：{name}</translation>
    </message>
    <message>
        <source>Then press the button: the next part is taken for it.</source>
        <translation>然后按下按钮：下一个零件即视为此件。</translation>
    </message>
    <message>
        <source>The station waits for its trigger; or press the button.</source>
        <translation>工位等待触发；也可以按下按钮。</translation>
    </message>
    <message>
        <source>is judged …</source>
        <translation>正在判定…</translation>
    </message>
    <message>
        <source>Right</source>
        <translation>正确</translation>
    </message>
    <message>
        <source>WRONG</source>
        <translation>错误</translation>
    </message>
    <message>
        <source>{name} ({kind})</source>
        <translation>{name}（{kind}）</translation>
    </message>
    <message>
        <source>Was it this part, and did the line do with it what it should?</source>
        <translation>放入的是这个零件吗？产线对它的处理正确吗？</translation>
    </message>
    <message>
        <source>The station has judged this part wrongly: the test has failed.</source>
        <translation>工位误判了此零件：测试未通过。</translation>
    </message>
    <message>
        <source>The line sends the parts</source>
        <translation>由产线送入零件</translation>
    </message>
    <message>
        <source>{n} of {all} judged</source>
        <translation>已判定 {n}/{all}</translation>
    </message>
    <message>
        <source>Nothing is to be done here: the line has begun this test.</source>
        <translation>此处无需操作：测试由产线启动。</translation>
    </message>
</context>
<context>
    <name>KitDialog</name>
    <message>
        <source>Kit of known parts</source>
        <translation>标准样件组</translation>
    </message>
    <message>
        <source>In the order in which they are put in: good ones, and a bad one for each defect that matters.</source>
        <translation>按放入顺序排列：合格件，以及每种重要缺陷各一件。</translation>
    </message>
    <message>
        <source>Add a part</source>
        <translation>添加零件</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
</context>
<context>
    <name>KitRow</name>
    <message>
        <source>Name on the part</source>
        <translation>零件上的名称</translation>
    </message>
    <message>
        <source>good</source>
        <translation>合格</translation>
    </message>
    <message>
        <source>bad</source>
        <translation>不良</translation>
    </message>
    <message>
        <source>What is wrong with it</source>
        <translation>有什么缺陷</translation>
    </message>
    <message>
        <source>Earlier</source>
        <translation>前移</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
</context>
<context>
    <name>LinePage</name>
    <message>
        <source>A part of the station could not be read: {why}</source>
        <translation>无法读取检测站发来的零件：{why}</translation>
    </message>
</context>
<context>
    <name>LiveView</name>
    <message>
        <source>OLD PICTURE</source>
        <translation>旧图像</translation>
    </message>
</context>
<context>
    <name>Loader</name>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} 不是本屏可显示的图像。</translation>
    </message>
</context>
<context>
    <name>LoginDialog</name>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>LoginForm</name>
    <message>
        <source>User</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>Password</source>
        <translation>密码</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Give the name and the password.</source>
        <translation>请输入用户名和密码。</translation>
    </message>
</context>
<context>
    <name>LoginPage</name>
    <message>
        <source>Log in to see this station</source>
        <translation>请登录以查看此检测站</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
</context>
<context>
    <name>Numbers</name>
    <message>
        <source>Triggers</source>
        <translation>触发数</translation>
    </message>
    <message>
        <source>In flight</source>
        <translation>处理中</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>合格率</translation>
    </message>
    <message>
        <source>Parts/min</source>
        <translation>件/分</translation>
    </message>
    <message>
        <source>Latency p50, ms</source>
        <translation>延迟 p50，毫秒</translation>
    </message>
    <message>
        <source>Latency p99, ms</source>
        <translation>延迟 p99，毫秒</translation>
    </message>
</context>
<context>
    <name>Panel</name>
    <message>
        <source>Remark (M)</source>
        <translation>备注 (M)</translation>
    </message>
    <message>
        <source>The verdict, the counters and what the line was told stay as they are.</source>
        <translation>判定、计数以及已通知产线的内容均不改变。</translation>
    </message>
    <message>
        <source>Draw (D)</source>
        <translation>画框 (D)</translation>
    </message>
    <message>
        <source>Delete (Del)</source>
        <translation>删除 (Del)</translation>
    </message>
    <message>
        <source>Boxes are right (A)</source>
        <translation>框无误 (A)</translation>
    </message>
    <message>
        <source>Skip (S)</source>
        <translation>跳过 (S)</translation>
    </message>
    <message>
        <source>Undo (Ctrl+Z)</source>
        <translation>撤销 (Ctrl+Z)</translation>
    </message>
    <message>
        <source>Drag a box on the picture; N chooses the next box, the arrows move it</source>
        <translation>在图像上拖出一个框；N 选择下一个框，方向键移动</translation>
    </message>
    <message>
        <source>These boxes are all that is really there: they become training data</source>
        <translation>这些框就是实际存在的全部缺陷，将成为训练数据</translation>
    </message>
    <message>
        <source>The station says {verdict}</source>
        <translation>工站判定：{verdict}</translation>
    </message>
    <message>
        <source>Right (R)</source>
        <translation>正确 (R)</translation>
    </message>
    <message>
        <source>Wrong (W)</source>
        <translation>错误 (W)</translation>
    </message>
    <message>
        <source>cannot be judged</source>
        <translation>无法判定</translation>
    </message>
    <message>
        <source>can be judged</source>
        <translation>可以判定</translation>
    </message>
    <message>
        <source>part is good</source>
        <translation>零件合格</translation>
    </message>
    <message>
        <source>part is bad</source>
        <translation>零件不合格</translation>
    </message>
    <message>
        <source>{waiting} wait  ·  {today} today  ·  {session} by you now</source>
        <translation>待检 {waiting}  ·  今日 {today}  ·  您本次 {session}</translation>
    </message>
    <message>
        <source>{n} skipped</source>
        <translation>跳过 {n}</translation>
    </message>
</context>
<context>
    <name>PartDialog</name>
    <message>
        <source>Part</source>
        <translation>零件</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>No picture of this part was kept</source>
        <translation>此零件没有保存图像</translation>
    </message>
</context>
<context>
    <name>PartViewer</name>
    <message>
        <source>Boxes</source>
        <translation>框</translation>
    </message>
    <message>
        <source>Boxes on or off (B)</source>
        <translation>显示或隐藏框 (B)</translation>
    </message>
    <message>
        <source>Weak too</source>
        <translation>弱框</translation>
    </message>
    <message>
        <source>Also the boxes that decided nothing (T)</source>
        <translation>也显示未影响判定的框 (T)</translation>
    </message>
    <message>
        <source>Smaller (-)</source>
        <translation>缩小 (-)</translation>
    </message>
    <message>
        <source>Larger (+)</source>
        <translation>放大 (+)</translation>
    </message>
    <message>
        <source>Fit</source>
        <translation>全图</translation>
    </message>
    <message>
        <source>The whole picture (0)</source>
        <translation>整幅图像 (0)</translation>
    </message>
    <message>
        <source>Pixel by pixel (Z)</source>
        <translation>逐像素 (Z)</translation>
    </message>
    <message>
        <source>Loading the picture …</source>
        <translation>正在加载图像…</translation>
    </message>
    <message>
        <source>The picture of this part was not kept.</source>
        <translation>该零件的图像未保存。</translation>
    </message>
    <message>
        <source>The picture of this part is not kept any more.</source>
        <translation>该零件的图像已不再保存。</translation>
    </message>
    <message>
        <source>Camera {name} (C)</source>
        <translation>相机 {name} (C)</translation>
    </message>
</context>
<context>
    <name>RecipePage</name>
    <message>
        <source>Load it</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>比较</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>放弃</translation>
    </message>
    <message>
        <source>Thresholds</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>Regions</source>
        <translation>区域</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>版本</translation>
    </message>
    <message>
        <source>recipe {names}</source>
        <translation>配方 {names}</translation>
    </message>
    <message>
        <source>There is no recipe here.</source>
        <translation>这里没有配方。</translation>
    </message>
    <message>
        <source>Version {n} was saved meanwhile. Your changes are kept.</source>
        <translation>期间已保存版本 {n}。您的修改仍然保留。</translation>
    </message>
    <message>
        <source>All changes since version {n} are dropped.</source>
        <translation>版本 {n} 之后的所有修改都将丢弃。</translation>
    </message>
    <message>
        <source>Discard changes?</source>
        <translation>放弃修改？</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>The recipe has changes that are not saved</source>
        <translation>配方有未保存的修改</translation>
    </message>
    <message>
        <source>They are kept while this screen runs, and judge nothing before they are saved.</source>
        <translation>本屏幕运行期间会保留这些修改；保存之前不影响判定。</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Keep for later</source>
        <translation>留待以后</translation>
    </message>
    <message>
        <source>Save {name} as a new version</source>
        <translation>将 {name} 保存为新版本</translation>
    </message>
    <message>
        <source>Saving …</source>
        <translation>正在保存…</translation>
    </message>
    <message>
        <source>Saved as version {n}.</source>
        <translation>已保存为版本 {n}。</translation>
    </message>
    <message>
        <source>It judges from now on.</source>
        <translation>即刻生效。</translation>
    </message>
    <message>
        <source>Your changes are dropped, and version {n} is shown.</source>
        <translation>您的修改将丢弃，并显示版本 {n}。</translation>
    </message>
    <message>
        <source>Load the newer version?</source>
        <translation>加载较新的版本？</translation>
    </message>
</context>
<context>
    <name>RegionCanvas</name>
    <message>
        <source>Regions on the picture</source>
        <translation>图像上的区域</translation>
    </message>
</context>
<context>
    <name>RegionPanel</name>
    <message>
        <source>View</source>
        <translation>视图</translation>
    </message>
    <message>
        <source>Picture</source>
        <translation>图像</translation>
    </message>
    <message>
        <source>No picture</source>
        <translation>没有图像</translation>
    </message>
    <message>
        <source>Regions</source>
        <translation>区域</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>What it is for</source>
        <translation>用途</translation>
    </message>
    <message>
        <source>Inspect</source>
        <translation>检测</translation>
    </message>
    <message>
        <source>Ignore</source>
        <translation>忽略</translation>
    </message>
    <message>
        <source>Only for these classes</source>
        <translation>仅限这些类别</translation>
    </message>
    <message>
        <source>Draw region</source>
        <translation>绘制区域</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Only for these classes (none: all)</source>
        <translation>仅限这些类别（不选：全部）</translation>
    </message>
    <message>
        <source>All other cameras</source>
        <translation>其他所有相机</translation>
    </message>
    <message>
        <source>Reference picture</source>
        <translation>参考图像</translation>
    </message>
    <message>
        <source>Last part</source>
        <translation>最近的零件</translation>
    </message>
    <message>
        <source>All cameras</source>
        <translation>所有相机</translation>
    </message>
    <message>
        <source>There is no picture to draw on.</source>
        <translation>没有可绘制的图像。</translation>
    </message>
    <message>
        <source>Choose a region first.</source>
        <translation>请先选择区域。</translation>
    </message>
    <message>
        <source>Tap the corners one by one, the first one again to close. Esc: not this one.</source>
        <translation>依次点按各个角，再点第一个角即闭合。Esc：放弃。</translation>
    </message>
    <message>
        <source>No region: the whole picture is inspected.</source>
        <translation>没有区域：检测整幅图像。</translation>
    </message>
    <message>
        <source>Drag corners, edges or the whole region. Delete removes a corner or a region.</source>
        <translation>可拖动角、边或整个区域。Delete 键删除角或区域。</translation>
    </message>
    <message>
        <source>No picture of a part was kept</source>
        <translation>没有保存任何零件的图像</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Another region has this name.</source>
        <translation>已有同名区域。</translation>
    </message>
    <message>
        <source>A name has letters without accents, digits, - and _ only.</source>
        <translation>名称只能包含英文字母、数字、- 和 _。</translation>
    </message>
</context>
<context>
    <name>RejectsPage</name>
    <message>
        <source>Rejected and doubtful parts</source>
        <translation>剔除及存疑零件</translation>
    </message>
    <message>
        <source>No such part.</source>
        <translation>没有符合的零件。</translation>
    </message>
    <message>
        <source>Ask again</source>
        <translation>重新查询</translation>
    </message>
    <message>
        <source>▲  1 new part</source>
        <translation>▲  1 个新零件</translation>
    </message>
    <message>
        <source>▲  {n} new parts</source>
        <translation>▲  {n} 个新零件</translation>
    </message>
</context>
<context>
    <name>RemarkDialog</name>
    <message>
        <source>What was changed, and why? It is kept with the version.</source>
        <translation>修改了什么，为什么？将随版本保存。</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>备注</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
</context>
<context>
    <name>ReportView</name>
    <message>
        <source>Part</source>
        <translation>零件</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>判定</translation>
    </message>
    <message>
        <source>Confirmed</source>
        <translation>已确认</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>备注</translation>
    </message>
    <message>
        <source>Parts of the test</source>
        <translation>测试零件</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Ready stays 0 and parts are rejected until a test has passed.</source>
        <translation>在测试通过之前 Ready 保持为 0，零件全部剔除。</translation>
    </message>
    <message>
        <source>right</source>
        <translation>正确</translation>
    </message>
    <message>
        <source>WRONG</source>
        <translation>错误</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>是</translation>
    </message>
    <message>
        <source>no</source>
        <translation>否</translation>
    </message>
    <message>
        <source>{n} parts in doubt …</source>
        <translation>{n} 个可疑零件…</translation>
    </message>
    <message>
        <source>Test {n}, {began} to {ended}, by {who}. Why: {why}. Recipe {recipe}, model {model}.</source>
        <translation>测试 {n}，{began} 至 {ended}，{who}。原因：{why}。配方 {recipe}，模型 {model}。</translation>
    </message>
    <message>
        <source>The last one that passed: {at}.</source>
        <translation>上次通过：{at}。</translation>
    </message>
</context>
<context>
    <name>Reports</name>
    <message>
        <source>Tests so far</source>
        <translation>历次测试</translation>
    </message>
    <message>
        <source>When</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>By</source>
        <translation>人员</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
</context>
<context>
    <name>ReviewDesk</name>
    <message>
        <source>{who} has said this, and must take it back.</source>
        <translation>这是 {who} 的判断，须由其本人撤销。</translation>
    </message>
    <message>
        <source>This is just being sent. Take it back when the station has answered.</source>
        <translation>正在发送，请在工站应答后再撤销。</translation>
    </message>
    <message>
        <source>Part {part} was judged again since, by {who}. It stays so.</source>
        <translation>零件 {part} 之后已由 {who} 重新判断，保持不变。</translation>
    </message>
    <message>
        <source>Your judgement of part {part} was taken back already.</source>
        <translation>您对零件 {part} 的判断已被撤销。</translation>
    </message>
    <message>
        <source>Not taken back: {why}</source>
        <translation>未能撤销：{why}</translation>
    </message>
    <message>
        <source>Part {part} was just judged by {who}.</source>
        <translation>零件 {part} 刚由 {who} 判断。</translation>
    </message>
</context>
<context>
    <name>ReviewPage</name>
    <message>
        <source>Ask again</source>
        <translation>重新查询</translation>
    </message>
    <message>
        <source>Class of the chosen box</source>
        <translation>所选框的类别</translation>
    </message>
    <message>
        <source>Class of the next box</source>
        <translation>下一个框的类别</translation>
    </message>
    <message>
        <source>The part is bad, and this is the defect:</source>
        <translation>零件不合格，缺陷为：</translation>
    </message>
    <message>
        <source>The part is not here yet.</source>
        <translation>零件尚未加载。</translation>
    </message>
    <message>
        <source>Choose a box.</source>
        <translation>请选择一个框。</translation>
    </message>
    <message>
        <source>Nothing to take back.</source>
        <translation>没有可撤销的内容。</translation>
    </message>
    <message>
        <source>Nothing waits for a review.</source>
        <translation>没有等待复检的零件。</translation>
    </message>
    <message>
        <source>Not yet sent: {n}, said by {who}. Kept here, and sent when {who} logs in.</source>
        <translation>尚未发送：{n} 项，由 {who} 判断。已保留，待 {who} 登录后发送。</translation>
    </message>
    <message>
        <source>Not yet sent: {n}. Kept here, and sent when the station answers. Do not close the screen.</source>
        <translation>尚未发送：{n} 项。已保留，待工站应答后发送。请勿关闭本屏。</translation>
    </message>
</context>
<context>
    <name>Strip</name>
    <message>
        <source>Not answering</source>
        <translation>无响应</translation>
    </message>
    <message>
        <source>{n} faults</source>
        <translation>{n} 个故障</translation>
    </message>
    <message>
        <source>1 fault</source>
        <translation>1 个故障</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
</context>
<context>
    <name>SuspectsDialog</name>
    <message>
        <source>Parts in doubt</source>
        <translation>可疑零件</translation>
    </message>
    <message>
        <source>They left as good after the last test that passed. Find them and look at them again.</source>
        <translation>它们在上次测试通过之后按合格品放行。请找出并重新检查。</translation>
    </message>
    <message>
        <source>Part</source>
        <translation>零件</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>编号</translation>
    </message>
    <message>
        <source>When</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>判定</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>Save CSV …</source>
        <translation>保存 CSV…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>{n} so far …</source>
        <translation>目前 {n} 个…</translation>
    </message>
    <message>
        <source>{n} parts</source>
        <translation>{n} 个零件</translation>
    </message>
    <message>
        <source>{n} parts; the newest are shown, all are saved</source>
        <translation>{n} 个零件；仅显示最新的，保存全部</translation>
    </message>
    <message>
        <source>Save CSV</source>
        <translation>保存 CSV</translation>
    </message>
    <message>
        <source>Saved: {path}</source>
        <translation>已保存：{path}</translation>
    </message>
</context>
<context>
    <name>Tiles</name>
    <message>
        <source>Camera {name}</source>
        <translation>相机 {name}</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>磁盘</translation>
    </message>
    <message>
        <source>{n} dropped</source>
        <translation>丢弃 {n}</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>未连接</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>{size} free</source>
        <translation>可用 {size}</translation>
    </message>
    <message>
        <source>images {size}</source>
        <translation>图像 {size}</translation>
    </message>
</context>
<context>
    <name>TimeBar</name>
    <message>
        <source>Picture</source>
        <translation>图像</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Decision</source>
        <translation>判定</translation>
    </message>
    <message>
        <source>Record and the rest</source>
        <translation>记录及其他</translation>
    </message>
</context>
<context>
    <name>TrendsPage</name>
    <message>
        <source>Save CSV …</source>
        <translation>保存 CSV…</translation>
    </message>
    <message>
        <source>Save picture …</source>
        <translation>保存图片…</translation>
    </message>
    <message>
        <source>This shift</source>
        <translation>本班次</translation>
    </message>
    <message>
        <source>Last 8 hours</source>
        <translation>最近 8 小时</translation>
    </message>
    <message>
        <source>Last 24 hours</source>
        <translation>最近 24 小时</translation>
    </message>
    <message>
        <source>Last 7 days</source>
        <translation>最近 7 天</translation>
    </message>
    <message>
        <source>From … to …</source>
        <translation>自定时间</translation>
    </message>
    <message>
        <source>All recipes</source>
        <translation>所有配方</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>From</source>
        <translation>从</translation>
    </message>
    <message>
        <source>To</source>
        <translation>到</translation>
    </message>
    <message>
        <source>{station}: {recipe}, {since} to {until}. {total} parts, yield {share}</source>
        <translation>{station}：{recipe}，{since} 至 {until}。{total} 个零件，良率 {share}</translation>
    </message>
    <message>
        <source>all recipes</source>
        <translation>所有配方</translation>
    </message>
    <message>
        <source>Save CSV</source>
        <translation>保存 CSV</translation>
    </message>
    <message>
        <source>Save picture</source>
        <translation>保存图片</translation>
    </message>
    <message>
        <source>Saved: {path}</source>
        <translation>已保存：{path}</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>无法写入 {path}。</translation>
    </message>
</context>
<context>
    <name>Use</name>
    <message>
        <source>Use on the line …</source>
        <translation>用于产线…</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>未连接到检测站。</translation>
    </message>
    <message>
        <source>Wait a moment.</source>
        <translation>请稍候。</translation>
    </message>
    <message>
        <source>Parts are judged by it now.</source>
        <translation>当前正按此配方判定。</translation>
    </message>
    <message>
        <source>Judge by {name} from now on?</source>
        <translation>从现在起按 {name} 判定？</translation>
    </message>
    <message>
        <source>Parts under way are still judged by the recipe of now. Ready is 0 until the station has tried the new one. It stays chosen after a restart.</source>
        <translation>途中的零件仍按当前配方判定。在工位试过新配方之前，Ready 为 0。重启后仍保持此选择。</translation>
    </message>
    <message>
        <source>Use on the line</source>
        <translation>用于产线</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>The recipe is being changed …</source>
        <translation>正在更换配方…</translation>
    </message>
    <message>
        <source>Parts are judged by another recipe now.</source>
        <translation>现在按另一个配方判定。</translation>
    </message>
</context>
<context>
    <name>VerdictBand</name>
    <message>
        <source>Verdicts are not known here.</source>
        <translation>此处无法得知判定结果。</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待中</translation>
    </message>
    <message>
        <source>No part yet.</source>
        <translation>尚无零件。</translation>
    </message>
    <message>
        <source>Part {id}</source>
        <translation>零件 {id}</translation>
    </message>
    <message>
        <source>Last part: {id}, {word}</source>
        <translation>上一个零件：{id}，{word}</translation>
    </message>
</context>
<context>
    <name>Versions</name>
    <message>
        <source>Version</source>
        <translation>版本</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>保存时间</translation>
    </message>
    <message>
        <source>By</source>
        <translation>人员</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>备注</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>版本</translation>
    </message>
    <message>
        <source>Bringing a version back saves it as a new one; nothing is lost.</source>
        <translation>恢复的版本会另存为新版本，不会丢失任何内容。</translation>
    </message>
    <message>
        <source>Why?</source>
        <translation>原因？</translation>
    </message>
    <message>
        <source>Bring back</source>
        <translation>恢复</translation>
    </message>
    <message>
        <source>(now)</source>
        <translation>（当前）</translation>
    </message>
    <message>
        <source>Choose an earlier version.</source>
        <translation>请选择较早的版本。</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>Connecting to {url} …</source>
        <translation>正在连接 {url} ……</translation>
    </message>
    <message>
        <source>{user} is logged in.</source>
        <translation>{user} 已登录。</translation>
    </message>
    <message>
        <source>Your login has ended. Log in again.</source>
        <translation>登录已失效，请重新登录。</translation>
    </message>
    <message>
        <source>Logged out: nobody was at the screen.</source>
        <translation>已注销：长时间无人操作。</translation>
    </message>
    <message>
        <source>Log out</source>
        <translation>注销</translation>
    </message>
    <message>
        <source>Log in …</source>
        <translation>登录……</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全屏</translation>
    </message>
    <message>
        <source>Not saved: {what}. It is lost when the screen is closed.</source>
        <translation>尚未保存：{what}。关闭屏幕后将丢失。</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Close the screen?</source>
        <translation>关闭屏幕？</translation>
    </message>
    <message>
        <source>Close without saving</source>
        <translation>不保存并关闭</translation>
    </message>
</context>
<context>
    <name>calls</name>
    <message>
        <source>The station did not answer in time. Try again.</source>
        <translation>检测站未及时响应，请重试。</translation>
    </message>
    <message>
        <source>The station cannot be reached: {why}</source>
        <translation>无法连接检测站：{why}</translation>
    </message>
    <message>
        <source>The station&apos;s answer is not known to this screen. Use the screen of the station&apos;s version.</source>
        <translation>此界面无法识别检测站的回答。请使用与检测站版本一致的界面。</translation>
    </message>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} 不是此界面可显示的图像。</translation>
    </message>
    <message>
        <source>The station refused: {status}</source>
        <translation>检测站拒绝：{status}</translation>
    </message>
</context>
<context>
    <name>cards</name>
    <message>
        <source>Picture not kept</source>
        <translation>图像未保存</translation>
    </message>
</context>
<context>
    <name>challenge</name>
    <message>
        <source>start of the shift</source>
        <translation>班次开始</translation>
    </message>
    <message>
        <source>after a change</source>
        <translation>修改之后</translation>
    </message>
    <message>
        <source>no reject for long</source>
        <translation>长时间无剔除</translation>
    </message>
    <message>
        <source>good part</source>
        <translation>合格件</translation>
    </message>
    <message>
        <source>bad part</source>
        <translation>不良件</translation>
    </message>
    <message>
        <source>bad: {defect}</source>
        <translation>不良：{defect}</translation>
    </message>
    <message>
        <source>Passed</source>
        <translation>通过</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>未通过</translation>
    </message>
    <message>
        <source>Broken off</source>
        <translation>已中止</translation>
    </message>
</context>
<context>
    <name>pages</name>
    <message>
        <source>Line</source>
        <translation>产线</translation>
    </message>
    <message>
        <source>Rejects</source>
        <translation>剔除件</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>复检</translation>
    </message>
    <message>
        <source>Trends</source>
        <translation>趋势</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>测试</translation>
    </message>
    <message>
        <source>Faults</source>
        <translation>故障</translation>
    </message>
</context>
<context>
    <name>saving</name>
    <message>
        <source>{path} cannot be written: {why}</source>
        <translation>无法写入 {path}：{why}</translation>
    </message>
</context>
<context>
    <name>stream</name>
    <message>
        <source>{url} has no partsight API of version {ours}.</source>
        <translation>{url} 没有版本 {ours} 的 partsight API。</translation>
    </message>
    <message>
        <source>The station has said nothing for some seconds.</source>
        <translation>检测站已有数秒没有消息。</translation>
    </message>
    <message>
        <source>A message of the station could not be read: {why}</source>
        <translation>无法读取检测站的消息：{why}</translation>
    </message>
    <message>
        <source>A picture of the station could not be read: {why}</source>
        <translation>无法读取检测站的图像：{why}</translation>
    </message>
    <message>
        <source>The station speaks version {theirs} of the API, this screen version {ours}. Use the screen of the station&apos;s version.</source>
        <translation>检测站使用 API 版本 {theirs}，此界面使用版本 {ours}。请使用与检测站版本一致的界面。</translation>
    </message>
    <message>
        <source>The connection broke off.</source>
        <translation>连接已中断。</translation>
    </message>
    <message>
        <source>The station refused the stream: {why}</source>
        <translation>检测站拒绝了数据流：{why}</translation>
    </message>
</context>
<context>
    <name>trends</name>
    <message>
        <source>Yield (%)</source>
        <translation>良率（%）</translation>
    </message>
    <message>
        <source>{share} of {total} parts are OK</source>
        <translation>{total} 个零件中 {share} 合格</translation>
    </message>
    <message>
        <source>No parts in this time</source>
        <translation>此时段没有零件</translation>
    </message>
    <message>
        <source>Control chart (p): not OK (%)</source>
        <translation>控制图（p）：非合格（%）</translation>
    </message>
    <message>
        <source>Mean {share}; {n} intervals outside the limits (▼)</source>
        <translation>均值 {share}；{n} 个区间超出控制限（▼）</translation>
    </message>
    <message>
        <source>{time}   {share} of {n}   limits {lower} to {upper}</source>
        <translation>{time}   {n} 件中 {share}   控制限 {lower} 至 {upper}</translation>
    </message>
    <message>
        <source>signal</source>
        <translation>信号</translation>
    </message>
    <message>
        <source>Pareto of reasons</source>
        <translation>原因帕累托图</translation>
    </message>
    <message>
        <source>No rejects in this time</source>
        <translation>此时段没有剔除</translation>
    </message>
    <message>
        <source>{n} parts are not OK; most: {reason}</source>
        <translation>{n} 个零件非合格；最多：{reason}</translation>
    </message>
    <message>
        <source>{reason}: {n}, with those above it {share}</source>
        <translation>{reason}：{n}，累计 {share}</translation>
    </message>
    <message>
        <source>Trigger to verdict (ms)</source>
        <translation>触发到判定（ms）</translation>
    </message>
    <message>
        <source>deadline</source>
        <translation>时限</translation>
    </message>
    <message>
        <source>{begin} to {end} ms: {n} parts</source>
        <translation>{begin} 至 {end} ms：{n} 个零件</translation>
    </message>
    <message>
        <source>all others</source>
        <translation>其他</translation>
    </message>
</context>
<context>
    <name>words</name>
    <message>
        <source>OK</source>
        <translation>合格</translation>
    </message>
    <message>
        <source>NG</source>
        <translation>不合格</translation>
    </message>
    <message>
        <source>REVIEW</source>
        <translation>待复检</translation>
    </message>
    <message>
        <source>INVALID</source>
        <translation>无效</translation>
    </message>
    <message>
        <source>Starting up</source>
        <translation>启动中</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>运行中</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Suspended</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>Halted</source>
        <translation>已停机</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>错误</translation>
    </message>
    <message>
        <source>Production</source>
        <translation>生产</translation>
    </message>
    <message>
        <source>Simulation</source>
        <translation>模拟</translation>
    </message>
    <message>
        <source>Challenge test</source>
        <translation>挑战测试</translation>
    </message>
    <message>
        <source>Bypass</source>
        <translation>旁路</translation>
    </message>
    <message>
        <source>Viewer</source>
        <translation>查看者</translation>
    </message>
    <message>
        <source>Operator</source>
        <translation>操作员</translation>
    </message>
    <message>
        <source>Engineer</source>
        <translation>工程师</translation>
    </message>
    <message>
        <source>Administrator</source>
        <translation>管理员</translation>
    </message>
    <message>
        <source>Log in as {role} for this.</source>
        <translation>请以{role}身份登录后操作。</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>连接中</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>No answer</source>
        <translation>无响应</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>未连接</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Other version</source>
        <translation>版本不同</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>打开中</translation>
    </message>
    <message>
        <source>Streaming</source>
        <translation>采集中</translation>
    </message>
    <message>
        <source>Armed</source>
        <translation>等待触发</translation>
    </message>
    <message>
        <source>No pictures</source>
        <translation>无图像</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <translation>重新连接</translation>
    </message>
    <message>
        <source>Ended</source>
        <translation>已结束</translation>
    </message>
    <message>
        <source>Fault</source>
        <translation>故障</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>放行</translation>
    </message>
    <message>
        <source>reject</source>
        <translation>剔除</translation>
    </message>
    <message>
        <source>hold</source>
        <translation>扣留</translation>
    </message>
    <message>
        <source>image is black</source>
        <translation>图像全黑</translation>
    </message>
    <message>
        <source>image is over-exposed</source>
        <translation>图像过曝</translation>
    </message>
    <message>
        <source>image is blurred</source>
        <translation>图像模糊</translation>
    </message>
    <message>
        <source>image is the same as the one before</source>
        <translation>图像与上一张相同</translation>
    </message>
    <message>
        <source>image has the wrong size</source>
        <translation>图像尺寸错误</translation>
    </message>
    <message>
        <source>image cannot be read</source>
        <translation>无法读取图像</translation>
    </message>
    <message>
        <source>image is too dark or too bright</source>
        <translation>图像过暗或过亮</translation>
    </message>
    <message>
        <source>too many saturated pixels</source>
        <translation>饱和像素过多</translation>
    </message>
    <message>
        <source>no image came for the trigger</source>
        <translation>触发后没有图像</translation>
    </message>
    <message>
        <source>camera is lost</source>
        <translation>相机丢失</translation>
    </message>
    <message>
        <source>image is incomplete</source>
        <translation>图像不完整</translation>
    </message>
    <message>
        <source>a camera&apos;s view is missing</source>
        <translation>缺少某台相机的视图</translation>
    </message>
    <message>
        <source>no verdict in time</source>
        <translation>未及时得出判定</translation>
    </message>
    <message>
        <source>too many parts at once</source>
        <translation>零件过多过密</translation>
    </message>
    <message>
        <source>station was started again</source>
        <translation>检测站已重新启动</translation>
    </message>
    <message>
        <source>station was not running</source>
        <translation>检测站未运行</translation>
    </message>
    <message>
        <source>record could not be written</source>
        <translation>无法写入记录</translation>
    </message>
    <message>
        <source>internal fault</source>
        <translation>内部故障</translation>
    </message>
    <message>
        <source>station was shutting down</source>
        <translation>检测站正在关闭</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>模型失败</translation>
    </message>
    <message>
        <source>model is stuck</source>
        <translation>模型卡住</translation>
    </message>
    <message>
        <source>no part is there</source>
        <translation>没有零件</translation>
    </message>
    <message>
        <source>part is out of place</source>
        <translation>零件位置偏移</translation>
    </message>
    <message>
        <source>part is turned</source>
        <translation>零件旋转</translation>
    </message>
    <message>
        <source>wrong part</source>
        <translation>零件错误</translation>
    </message>
    <message>
        <source>wrong number of features</source>
        <translation>特征数量错误</translation>
    </message>
    <message>
        <source>no evidence that the part is good</source>
        <translation>没有证据表明零件合格</translation>
    </message>
    <message>
        <source>doubtful</source>
        <translation>存疑</translation>
    </message>
    <message>
        <source>{n} s</source>
        <translation>{n} 秒</translation>
    </message>
    <message>
        <source>{n} min</source>
        <translation>{n} 分钟</translation>
    </message>
    <message>
        <source>{h} h {m} min</source>
        <translation>{h} 小时 {m} 分钟</translation>
    </message>
    <message>
        <source>{n} days</source>
        <translation>{n} 天</translation>
    </message>
</context>
</TS>
