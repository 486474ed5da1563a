<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>Start</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Trigger</source>
        <translation>Auslösen</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>Quittieren</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>Keine Verbindung zur Station.</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>Nichts zu quittieren.</translation>
    </message>
    <message>
        <source>Not while the station is: {state}.</source>
        <translation>Nicht, solange die Station so ist: {state}.</translation>
    </message>
</context>
<context>
    <name>Banners</name>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected. For {since}.</source>
        <translation>BYPASS: Teile werden geprüft, nichts wird ausgeworfen. Seit {since}.</translation>
    </message>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected.</source>
        <translation>BYPASS: Teile werden geprüft, nichts wird ausgeworfen.</translation>
    </message>
    <message>
        <source>CHALLENGE TEST: the parts are test parts.</source>
        <translation>PRÜFTEST: Die Teile sind Testteile.</translation>
    </message>
    <message>
        <source>SIMULATION: pictures and parts are not real.</source>
        <translation>SIMULATION: Bilder und Teile sind nicht echt.</translation>
    </message>
    <message>
        <source>The station does not answer since {since}. What you see is old.</source>
        <translation>Die Station antwortet seit {since} nicht. Was Sie sehen, ist alt.</translation>
    </message>
    <message>
        <source>No connection to the station since {since}. What you see is old. Trying again …</source>
        <translation>Keine Verbindung zur Station seit {since}. Was Sie sehen, ist alt. Neuer Versuch …</translation>
    </message>
</context>
<context>
    <name>Bar</name>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>Wiederholen</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Save …</source>
        <translation>Speichern …</translation>
    </message>
    <message>
        <source>active</source>
        <translation>aktiv</translation>
    </message>
    <message>
        <source>Version {n}</source>
        <translation>Fassung {n}</translation>
    </message>
    <message>
        <source>Nothing is changed.</source>
        <translation>Nichts ist geändert.</translation>
    </message>
    <message>
        <source>No connection to the station. Your changes are kept.</source>
        <translation>Keine Verbindung zur Station. Ihre Änderungen sind noch da.</translation>
    </message>
    <message>
        <source>This recipe cannot be saved here: its file is not in the station&apos;s own folder.</source>
        <translation>Dieses Rezept kann hier nicht gespeichert werden: Seine Datei liegt nicht im Ordner der Station.</translation>
    </message>
</context>
<context>
    <name>Bypass</name>
    <message>
        <source>BYPASS</source>
        <translation>BYPASS</translation>
    </message>
    <message>
        <source>Why? (kept in the audit trail)</source>
        <translation>Warum? (steht im Prüfprotokoll)</translation>
    </message>
    <message>
        <source>Reject nothing</source>
        <translation>Nichts ausschleusen</translation>
    </message>
    <message>
        <source>ON for {since}: parts are inspected, nothing is rejected. A new start ends it, too.</source>
        <translation>EIN seit {since}: Teile werden geprüft, nichts wird ausgeschleust. Auch ein Neustart beendet es.</translation>
    </message>
    <message>
        <source>ON: parts are inspected, nothing is rejected.</source>
        <translation>EIN: Teile werden geprüft, nichts wird ausgeschleust.</translation>
    </message>
    <message>
        <source>Off. Parts would be inspected, and nothing rejected, until somebody ends it.</source>
        <translation>Aus. Eingeschaltet würden Teile geprüft, aber nichts ausgeschleust, bis jemand es beendet.</translation>
    </message>
    <message>
        <source>Reject again</source>
        <translation>Wieder ausschleusen</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>Keine Verbindung zur Station.</translation>
    </message>
    <message>
        <source>Say why first.</source>
        <translation>Erst den Grund angeben.</translation>
    </message>
</context>
<context>
    <name>ChallengePage</name>
    <message>
        <source>Challenge test</source>
        <translation>Prüftest</translation>
    </message>
    <message>
        <source>Why? Choose, or type</source>
        <translation>Warum? Wählen oder schreiben</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>Warum</translation>
    </message>
    <message>
        <source>Start the test</source>
        <translation>Test beginnen</translation>
    </message>
    <message>
        <source>While it runs, Ready is 0 and only the parts that it asks for are judged.</source>
        <translation>Solange er läuft, ist Ready 0, und nur die verlangten Teile werden beurteilt.</translation>
    </message>
    <message>
        <source>Kit of known parts</source>
        <translation>Satz bekannter Teile</translation>
    </message>
    <message>
        <source>Change …</source>
        <translation>Ändern …</translation>
    </message>
    <message>
        <source>There is no kit yet. An engineer says which known parts belong to it.</source>
        <translation>Es gibt noch keinen Satz. Ein Ingenieur legt fest, welche Teile dazugehören.</translation>
    </message>
    <message>
        <source>The last test has failed. Ready stays 0, and parts are rejected, until a test has passed.</source>
        <translation>Der letzte Test ist nicht bestanden. Ready bleibt 0 und Teile werden ausgeschleust, bis ein Test bestanden ist.</translation>
    </message>
    <message>
        <source>A test is due: {why}.</source>
        <translation>Ein Test ist fällig: {why}.</translation>
    </message>
    <message>
        <source>Ready stays 0 until it has passed.</source>
        <translation>Ready bleibt 0, bis er bestanden ist.</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>Keine Verbindung zur Station.</translation>
    </message>
    <message>
        <source>There is no kit yet.</source>
        <translation>Es gibt noch keinen Satz.</translation>
    </message>
    <message>
        <source>No test yet.</source>
        <translation>Noch kein Test.</translation>
    </message>
    <message>
        <source>Last test: {outcome}, {at}, by {who}.</source>
        <translation>Letzter Test: {outcome}, {at}, von {who}.</translation>
    </message>
</context>
<context>
    <name>ClassCard</name>
    <message>
        <source>Off: boxes of this class count for nothing.</source>
        <translation>Aus: Funde dieser Klasse zählen nicht.</translation>
    </message>
    <message>
        <source>{name}: defect from</source>
        <translation>{name}: Fehler ab</translation>
    </message>
    <message>
        <source>{name}: doubtful from</source>
        <translation>{name}: zweifelhaft ab</translation>
    </message>
    <message>
        <source>Doubtful from</source>
        <translation>Zweifelhaft ab</translation>
    </message>
    <message>
        <source>{name}: smallest size</source>
        <translation>{name}: kleinste Größe</translation>
    </message>
    <message>
        <source>Defect from</source>
        <translation>Fehler ab</translation>
    </message>
    <message>
        <source>Smallest size</source>
        <translation>Kleinste Größe</translation>
    </message>
    <message>
        <source>● changed</source>
        <translation>● geändert</translation>
    </message>
</context>
<context>
    <name>CompareDialog</name>
    <message>
        <source>Version {n} and yours</source>
        <translation>Fassung {n} und Ihre</translation>
    </message>
    <message>
        <source>Put your changes onto version {n}, or drop them. Nothing is saved by this.</source>
        <translation>Ihre Änderungen auf Fassung {n} setzen oder verwerfen. Gespeichert wird dadurch nichts.</translation>
    </message>
    <message>
        <source>Put mine onto it</source>
        <translation>Meine darauf setzen</translation>
    </message>
    <message>
        <source>Load it</source>
        <translation>Laden</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>What</source>
        <translation>Was</translation>
    </message>
    <message>
        <source>You began with</source>
        <translation>Ihr Ausgangspunkt</translation>
    </message>
    <message>
        <source>Saved meanwhile</source>
        <translation>Inzwischen gespeichert</translation>
    </message>
    <message>
        <source>Yours</source>
        <translation>Ihres</translation>
    </message>
</context>
<context>
    <name>Detail</name>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Back to all parts (Esc)</source>
        <translation>Zurück zu allen Teilen (Esc)</translation>
    </message>
    <message>
        <source>Newer</source>
        <translation>Neuer</translation>
    </message>
    <message>
        <source>Older</source>
        <translation>Älter</translation>
    </message>
    <message>
        <source>The next newer part (left arrow, Page up)</source>
        <translation>Das nächste neuere Teil (Pfeil links, Bild auf)</translation>
    </message>
    <message>
        <source>The next older part (right arrow, Page down)</source>
        <translation>Das nächste ältere Teil (Pfeil rechts, Bild ab)</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Nachprüfen</translation>
    </message>
    <message>
        <source>Say what you think of this part</source>
        <translation>Sagen, was Sie von diesem Teil halten</translation>
    </message>
</context>
<context>
    <name>Effect</name>
    <message>
        <source>Part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>Grund</translation>
    </message>
    <message>
        <source>Parts whose verdict would be another</source>
        <translation>Teile, deren Urteil anders wäre</translation>
    </message>
    <message>
        <source>Before</source>
        <translation>Vorher</translation>
    </message>
    <message>
        <source>After</source>
        <translation>Nachher</translation>
    </message>
    <message>
        <source>No parts of this recipe to try it on yet</source>
        <translation>Noch keine Teile mit diesem Rezept zum Ausprobieren</translation>
    </message>
    <message>
        <source>No verdict of the last {n} parts would change</source>
        <translation>Kein Urteil der letzten {n} Teile wäre anders</translation>
    </message>
    <message>
        <source>{n} of the last {all} verdicts would change</source>
        <translation>{n} der letzten {all} Urteile wären anders</translation>
    </message>
    <message>
        <source>{n} parts cannot be judged again: no boxes were stored, or another model found them.</source>
        <translation>{n} Teile können nicht neu beurteilt werden: Es sind keine Funde gespeichert, oder sie stammen von einem anderen Modell.</translation>
    </message>
    <message>
        <source>The effect cannot be shown</source>
        <translation>Die Wirkung kann nicht gezeigt werden</translation>
    </message>
</context>
<context>
    <name>Facts</name>
    <message>
        <source>Part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>The line&apos;s answer</source>
        <translation>Die Linie tut</translation>
    </message>
    <message>
        <source>Mode</source>
        <translation>Betriebsart</translation>
    </message>
    <message>
        <source>{verdict}, too late: not sent</source>
        <translation>{verdict}, zu spät: nicht gesendet</translation>
    </message>
    <message>
        <source>The model said</source>
        <translation>Das Modell sagte</translation>
    </message>
    <message>
        <source>What was found</source>
        <translation>Was gefunden wurde</translation>
    </message>
    <message>
        <source>and {n} more</source>
        <translation>und {n} weitere</translation>
    </message>
    <message>
        <source>score {n}</source>
        <translation>Wert {n}</translation>
    </message>
    <message>
        <source>camera {name}</source>
        <translation>Kamera {name}</translation>
    </message>
    <message>
        <source>What people say</source>
        <translation>Was Menschen sagen</translation>
    </message>
    <message>
        <source>Nobody has looked at it yet.</source>
        <translation>Noch niemand hat es angesehen.</translation>
    </message>
    <message>
        <source>Where the time went</source>
        <translation>Wo die Zeit blieb</translation>
    </message>
    <message>
        <source>Verdict after {ms}, allowed {deadline}</source>
        <translation>Urteil nach {ms}, erlaubt {deadline}</translation>
    </message>
    <message>
        <source>Judged by</source>
        <translation>Geurteilt mit</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>Nummer</translation>
    </message>
    <message>
        <source>The picture was simulated.</source>
        <translation>Das Bild war simuliert.</translation>
    </message>
    <message>
        <source>The verdict is right</source>
        <translation>Das Urteil ist richtig</translation>
    </message>
    <message>
        <source>The verdict is wrong</source>
        <translation>Das Urteil ist falsch</translation>
    </message>
    <message>
        <source>the part is good</source>
        <translation>das Teil ist gut</translation>
    </message>
    <message>
        <source>the part is bad</source>
        <translation>das Teil ist schlecht</translation>
    </message>
    <message>
        <source>boxes confirmed: {n}</source>
        <translation>bestätigte Rahmen: {n}</translation>
    </message>
</context>
<context>
    <name>FaultCard</name>
    <message>
        <source>What to do: {cure}</source>
        <translation>Was zu tun ist: {cure}</translation>
    </message>
    <message>
        <source>{since} to {until}  ·  {key}</source>
        <translation>{since} bis {until}  ·  {key}</translation>
    </message>
    <message>
        <source>Since {since}, {age}  ·  {key}</source>
        <translation>Seit {since}, {age}  ·  {key}</translation>
    </message>
    <message>
        <source>stays until it is acknowledged</source>
        <translation>bleibt bis zur Quittierung</translation>
    </message>
</context>
<context>
    <name>FaultsPage</name>
    <message>
        <source>Faults</source>
        <translation>Störungen</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>Quittieren</translation>
    </message>
    <message>
        <source>No fault</source>
        <translation>Keine Störung</translation>
    </message>
    <message>
        <source>Over</source>
        <translation>Vorbei</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>Nichts zu quittieren.</translation>
    </message>
</context>
<context>
    <name>FilterBar</name>
    <message>
        <source>Part number</source>
        <translation>Teile-Nr.</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>Grund</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>From</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>until</source>
        <translation>bis</translation>
    </message>
    <message>
        <source>Any time</source>
        <translation>Jederzeit</translation>
    </message>
    <message>
        <source>Last hour</source>
        <translation>Letzte Stunde</translation>
    </message>
    <message>
        <source>Last 8 hours</source>
        <translation>Letzte 8 Stunden</translation>
    </message>
    <message>
        <source>Last 24 hours</source>
        <translation>Letzte 24 Stunden</translation>
    </message>
    <message>
        <source>Last 7 days</source>
        <translation>Letzte 7 Tage</translation>
    </message>
    <message>
        <source>Own times …</source>
        <translation>Eigene Zeiten …</translation>
    </message>
    <message>
        <source>All reasons</source>
        <translation>Alle Gründe</translation>
    </message>
    <message>
        <source>All recipes</source>
        <translation>Alle Rezepte</translation>
    </message>
</context>
<context>
    <name>FrameView</name>
    <message>
        <source>No picture yet</source>
        <translation>Noch kein Bild</translation>
    </message>
</context>
<context>
    <name>Guide</name>
    <message>
        <source>Break off</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Remark (what was not as it should be)</source>
        <translation>Bemerkung (was nicht so war, wie es sein soll)</translation>
    </message>
    <message>
        <source>The part is in</source>
        <translation>Das Teil liegt drin</translation>
    </message>
    <message>
        <source>Right part, treated as it should be</source>
        <translation>Richtiges Teil, richtig behandelt</translation>
    </message>
    <message>
        <source>Wrong part, or not treated so</source>
        <translation>Falsches Teil, oder falsch behandelt</translation>
    </message>
    <message>
        <source>Part {n} of {all}</source>
        <translation>Teil {n} von {all}</translation>
    </message>
    <message>
        <source>The part is being judged.</source>
        <translation>Das Teil wird beurteilt.</translation>
    </message>
    <message>
        <source>Put in part {n}: {name}</source>
        <translation>Teil {n} einlegen: {name}</translation>
    </message>
    <message>
        <source>Then press the button: the next part is taken for it.</source>
        <translation>Dann den Knopf drücken: Das nächste Teil gilt als dieses.</translation>
    </message>
    <message>
        <source>The station waits for its trigger; or press the button.</source>
        <translation>Die Station wartet auf den Auslöser; oder den Knopf drücken.</translation>
    </message>
    <message>
        <source>is judged …</source>
        <translation>wird beurteilt …</translation>
    </message>
    <message>
        <source>Right</source>
        <translation>Richtig</translation>
    </message>
    <message>
        <source>WRONG</source>
        <translation>FALSCH</translation>
    </message>
    <message>
        <source>{name} ({kind})</source>
        <translation>{name} ({kind})</translation>
    </message>
    <message>
        <source>Was it this part, and did the line do with it what it should?</source>
        <translation>War es dieses Teil, und hat die Anlage damit getan, was sie soll?</translation>
    </message>
    <message>
        <source>The station has judged this part wrongly: the test has failed.</source>
        <translation>Die Station hat dieses Teil falsch beurteilt: Der Test ist nicht bestanden.</translation>
    </message>
    <message>
        <source>The line sends the parts</source>
        <translation>Die Anlage schickt die Teile</translation>
    </message>
    <message>
        <source>{n} of {all} judged</source>
        <translation>{n} von {all} beurteilt</translation>
    </message>
    <message>
        <source>Nothing is to be done here: the line has begun this test.</source>
        <translation>Hier ist nichts zu tun: Die Anlage hat diesen Test begonnen.</translation>
    </message>
</context>
<context>
    <name>KitDialog</name>
    <message>
        <source>Kit of known parts</source>
        <translation>Satz bekannter Teile</translation>
    </message>
    <message>
        <source>In the order in which they are put in: good ones, and a bad one for each defect that matters.</source>
        <translation>In der Reihenfolge, in der sie eingelegt werden: gute, und ein schlechtes für jeden Fehler, auf den es ankommt.</translation>
    </message>
    <message>
        <source>Add a part</source>
        <translation>Teil hinzufügen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Speichern</translation>
    </message>
</context>
<context>
    <name>KitRow</name>
    <message>
        <source>Name on the part</source>
        <translation>Name auf dem Teil</translation>
    </message>
    <message>
        <source>good</source>
        <translation>gut</translation>
    </message>
    <message>
        <source>bad</source>
        <translation>schlecht</translation>
    </message>
    <message>
        <source>What is wrong with it</source>
        <translation>Was daran falsch ist</translation>
    </message>
    <message>
        <source>Earlier</source>
        <translation>Früher</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
</context>
<context>
    <name>LinePage</name>
    <message>
        <source>A part of the station could not be read: {why}</source>
        <translation>Ein Teil der Station war nicht lesbar: {why}</translation>
    </message>
</context>
<context>
    <name>LiveView</name>
    <message>
        <source>OLD PICTURE</source>
        <translation>ALTES BILD</translation>
    </message>
</context>
<context>
    <name>Loader</name>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} ist kein Bild, das dieser Bildschirm zeigen kann.</translation>
    </message>
</context>
<context>
    <name>LoginDialog</name>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
</context>
<context>
    <name>LoginForm</name>
    <message>
        <source>User</source>
        <translation>Benutzer</translation>
    </message>
    <message>
        <source>Password</source>
        <translation>Passwort</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Give the name and the password.</source>
        <translation>Name und Passwort angeben.</translation>
    </message>
</context>
<context>
    <name>LoginPage</name>
    <message>
        <source>Log in to see this station</source>
        <translation>Anmelden, um diese Station zu sehen</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>Numbers</name>
    <message>
        <source>Triggers</source>
        <translation>Auslösungen</translation>
    </message>
    <message>
        <source>In flight</source>
        <translation>In Arbeit</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>Ausbeute</translation>
    </message>
    <message>
        <source>Parts/min</source>
        <translation>Teile/min</translation>
    </message>
    <message>
        <source>Latency p50, ms</source>
        <translation>Latenz p50, ms</translation>
    </message>
    <message>
        <source>Latency p99, ms</source>
        <translation>Latenz p99, ms</translation>
    </message>
</context>
<context>
    <name>Panel</name>
    <message>
        <source>Remark (M)</source>
        <translation>Bemerkung (M)</translation>
    </message>
    <message>
        <source>The verdict, the counters and what the line was told stay as they are.</source>
        <translation>Urteil, Zähler und was der Linie gemeldet wurde, bleiben unverändert.</translation>
    </message>
    <message>
        <source>Draw (D)</source>
        <translation>Zeichnen (D)</translation>
    </message>
    <message>
        <source>Delete (Del)</source>
        <translation>Löschen (Entf)</translation>
    </message>
    <message>
        <source>Boxes are right (A)</source>
        <translation>Rahmen stimmen (A)</translation>
    </message>
    <message>
        <source>Skip (S)</source>
        <translation>Später (S)</translation>
    </message>
    <message>
        <source>Undo (Ctrl+Z)</source>
        <translation>Zurück (Strg+Z)</translation>
    </message>
    <message>
        <source>Drag a box on the picture; N chooses the next box, the arrows move it</source>
        <translation>Einen Rahmen im Bild aufziehen; N wählt den nächsten, die Pfeile verschieben ihn</translation>
    </message>
    <message>
        <source>These boxes are all that is really there: they become training data</source>
        <translation>Diese Rahmen sind alles, was wirklich da ist: Sie werden Trainingsdaten</translation>
    </message>
    <message>
        <source>The station says {verdict}</source>
        <translation>Die Station sagt {verdict}</translation>
    </message>
    <message>
        <source>Right (R)</source>
        <translation>Richtig (R)</translation>
    </message>
    <message>
        <source>Wrong (W)</source>
        <translation>Falsch (W)</translation>
    </message>
    <message>
        <source>cannot be judged</source>
        <translation>nicht beurteilbar</translation>
    </message>
    <message>
        <source>can be judged</source>
        <translation>beurteilbar</translation>
    </message>
    <message>
        <source>part is good</source>
        <translation>Teil gut</translation>
    </message>
    <message>
        <source>part is bad</source>
        <translation>Teil schlecht</translation>
    </message>
    <message>
        <source>{waiting} wait  ·  {today} today  ·  {session} by you now</source>
        <translation>{waiting} warten  ·  {today} heute  ·  {session} jetzt von Ihnen</translation>
    </message>
    <message>
        <source>{n} skipped</source>
        <translation>{n} zurückgestellt</translation>
    </message>
</context>
<context>
    <name>PartDialog</name>
    <message>
        <source>Part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>Lädt …</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>No picture of this part was kept</source>
        <translation>Von diesem Teil wurde kein Bild aufbewahrt</translation>
    </message>
</context>
<context>
    <name>PartViewer</name>
    <message>
        <source>Boxes</source>
        <translation>Rahmen</translation>
    </message>
    <message>
        <source>Boxes on or off (B)</source>
        <translation>Rahmen ein oder aus (B)</translation>
    </message>
    <message>
        <source>Weak too</source>
        <translation>Schwache</translation>
    </message>
    <message>
        <source>Also the boxes that decided nothing (T)</source>
        <translation>Auch die Rahmen, die nichts entschieden (T)</translation>
    </message>
    <message>
        <source>Smaller (-)</source>
        <translation>Kleiner (-)</translation>
    </message>
    <message>
        <source>Larger (+)</source>
        <translation>Größer (+)</translation>
    </message>
    <message>
        <source>Fit</source>
        <translation>Ganz</translation>
    </message>
    <message>
        <source>The whole picture (0)</source>
        <translation>Das ganze Bild (0)</translation>
    </message>
    <message>
        <source>Pixel by pixel (Z)</source>
        <translation>Pixel für Pixel (Z)</translation>
    </message>
    <message>
        <source>Loading the picture …</source>
        <translation>Das Bild wird geladen …</translation>
    </message>
    <message>
        <source>The picture of this part was not kept.</source>
        <translation>Das Bild dieses Teils wurde nicht aufbewahrt.</translation>
    </message>
    <message>
        <source>The picture of this part is not kept any more.</source>
        <translation>Das Bild dieses Teils wird nicht mehr aufbewahrt.</translation>
    </message>
    <message>
        <source>Camera {name} (C)</source>
        <translation>Kamera {name} (C)</translation>
    </message>
</context>
<context>
    <name>RecipePage</name>
    <message>
        <source>Load it</source>
        <translation>Laden</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>Lädt …</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Thresholds</source>
        <translation>Schwellen</translation>
    </message>
    <message>
        <source>Regions</source>
        <translation>Bereiche</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>Fassungen</translation>
    </message>
    <message>
        <source>recipe {names}</source>
        <translation>Rezept {names}</translation>
    </message>
    <message>
        <source>There is no recipe here.</source>
        <translation>Hier ist kein Rezept.</translation>
    </message>
    <message>
        <source>Version {n} was saved meanwhile. Your changes are kept.</source>
        <translation>Inzwischen wurde Fassung {n} gespeichert. Ihre Änderungen sind noch da.</translation>
    </message>
    <message>
        <source>All changes since version {n} are dropped.</source>
        <translation>Alle Änderungen seit Fassung {n} gehen verloren.</translation>
    </message>
    <message>
        <source>Discard changes?</source>
        <translation>Änderungen verwerfen?</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>The recipe has changes that are not saved</source>
        <translation>Das Rezept hat Änderungen, die nicht gespeichert sind</translation>
    </message>
    <message>
        <source>They are kept while this screen runs, and judge nothing before they are saved.</source>
        <translation>Sie bleiben erhalten, solange dieser Bildschirm läuft, und wirken erst, wenn sie gespeichert sind.</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Keep for later</source>
        <translation>Für später behalten</translation>
    </message>
    <message>
        <source>Save {name} as a new version</source>
        <translation>{name} als neue Fassung speichern</translation>
    </message>
    <message>
        <source>Saving …</source>
        <translation>Speichert …</translation>
    </message>
    <message>
        <source>Saved as version {n}.</source>
        <translation>Als Fassung {n} gespeichert.</translation>
    </message>
    <message>
        <source>It judges from now on.</source>
        <translation>Sie gilt ab jetzt.</translation>
    </message>
    <message>
        <source>Your changes are dropped, and version {n} is shown.</source>
        <translation>Ihre Änderungen gehen verloren, und Fassung {n} wird gezeigt.</translation>
    </message>
    <message>
        <source>Load the newer version?</source>
        <translation>Die neuere Fassung laden?</translation>
    </message>
</context>
<context>
    <name>RegionCanvas</name>
    <message>
        <source>Regions on the picture</source>
        <translation>Bereiche auf dem Bild</translation>
    </message>
</context>
<context>
    <name>RegionPanel</name>
    <message>
        <source>View</source>
        <translation>Ansicht</translation>
    </message>
    <message>
        <source>Picture</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>No picture</source>
        <translation>Kein Bild</translation>
    </message>
    <message>
        <source>Regions</source>
        <translation>Bereiche</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>What it is for</source>
        <translation>Wofür er ist</translation>
    </message>
    <message>
        <source>Inspect</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Ignore</source>
        <translation>Auslassen</translation>
    </message>
    <message>
        <source>Only for these classes</source>
        <translation>Nur für diese Klassen</translation>
    </message>
    <message>
        <source>Draw region</source>
        <translation>Bereich zeichnen</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Only for these classes (none: all)</source>
        <translation>Nur für diese Klassen (keine: alle)</translation>
    </message>
    <message>
        <source>All other cameras</source>
        <translation>Alle anderen Kameras</translation>
    </message>
    <message>
        <source>Reference picture</source>
        <translation>Referenzbild</translation>
    </message>
    <message>
        <source>Last part</source>
        <translation>Letztes Teil</translation>
    </message>
    <message>
        <source>All cameras</source>
        <translation>Alle Kameras</translation>
    </message>
    <message>
        <source>There is no picture to draw on.</source>
        <translation>Es gibt kein Bild, auf dem gezeichnet werden kann.</translation>
    </message>
    <message>
        <source>Choose a region first.</source>
        <translation>Erst einen Bereich wählen.</translation>
    </message>
    <message>
        <source>Tap the corners one by one, the first one again to close. Esc: not this one.</source>
        <translation>Ecken nacheinander antippen, zum Schließen noch einmal die erste. Esc: diesen nicht.</translation>
    </message>
    <message>
        <source>No region: the whole picture is inspected.</source>
        <translation>Kein Bereich: Das ganze Bild wird geprüft.</translation>
    </message>
    <message>
        <source>Drag corners, edges or the whole region. Delete removes a corner or a region.</source>
        <translation>Ecken, Kanten oder den ganzen Bereich ziehen. Entf nimmt eine Ecke oder einen Bereich weg.</translation>
    </message>
    <message>
        <source>No picture of a part was kept</source>
        <translation>Von keinem Teil wurde ein Bild aufbewahrt</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Another region has this name.</source>
        <translation>Ein anderer Bereich heißt schon so.</translation>
    </message>
    <message>
        <source>A name has letters without accents, digits, - and _ only.</source>
        <translation>Ein Name hat nur Buchstaben ohne Umlaute, Ziffern, - und _.</translation>
    </message>
</context>
<context>
    <name>RejectsPage</name>
    <message>
        <source>Rejected and doubtful parts</source>
        <translation>Ausgeworfene und zweifelhafte Teile</translation>
    </message>
    <message>
        <source>No such part.</source>
        <translation>Kein solches Teil.</translation>
    </message>
    <message>
        <source>Ask again</source>
        <translation>Neu abfragen</translation>
    </message>
    <message>
        <source>▲  1 new part</source>
        <translation>▲  1 neues Teil</translation>
    </message>
    <message>
        <source>▲  {n} new parts</source>
        <translation>▲  {n} neue Teile</translation>
    </message>
</context>
<context>
    <name>RemarkDialog</name>
    <message>
        <source>What was changed, and why? It is kept with the version.</source>
        <translation>Was wurde geändert, und warum? Es bleibt bei der Fassung.</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Bemerkung</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Speichern</translation>
    </message>
</context>
<context>
    <name>ReportView</name>
    <message>
        <source>Part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Confirmed</source>
        <translation>Bestätigt</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Bemerkung</translation>
    </message>
    <message>
        <source>Parts of the test</source>
        <translation>Teile des Tests</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Ready stays 0 and parts are rejected until a test has passed.</source>
        <translation>Ready bleibt 0 und Teile werden ausgeschleust, bis ein Test bestanden ist.</translation>
    </message>
    <message>
        <source>right</source>
        <translation>richtig</translation>
    </message>
    <message>
        <source>WRONG</source>
        <translation>FALSCH</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>ja</translation>
    </message>
    <message>
        <source>no</source>
        <translation>nein</translation>
    </message>
    <message>
        <source>{n} parts in doubt …</source>
        <translation>{n} Teile in Zweifel …</translation>
    </message>
    <message>
        <source>Test {n}, {began} to {ended}, by {who}. Why: {why}. Recipe {recipe}, model {model}.</source>
        <translation>Test {n}, {began} bis {ended}, von {who}. Warum: {why}. Rezept {recipe}, Modell {model}.</translation>
    </message>
    <message>
        <source>The last one that passed: {at}.</source>
        <translation>Der letzte bestandene: {at}.</translation>
    </message>
</context>
<context>
    <name>Reports</name>
    <message>
        <source>Tests so far</source>
        <translation>Bisherige Tests</translation>
    </message>
    <message>
        <source>When</source>
        <translation>Wann</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Ergebnis</translation>
    </message>
    <message>
        <source>By</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>Warum</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
</context>
<context>
    <name>ReviewDesk</name>
    <message>
        <source>{who} has said this, and must take it back.</source>
        <translation>{who} hat das gesagt und muss es zurücknehmen.</translation>
    </message>
    <message>
        <source>This is just being sent. Take it back when the station has answered.</source>
        <translation>Das wird gerade gesendet. Nehmen Sie es zurück, wenn die Station geantwortet hat.</translation>
    </message>
    <message>
        <source>Part {part} was judged again since, by {who}. It stays so.</source>
        <translation>Teil {part} wurde seither von {who} neu beurteilt. Das bleibt so.</translation>
    </message>
    <message>
        <source>Your judgement of part {part} was taken back already.</source>
        <translation>Ihr Urteil über Teil {part} wurde schon zurückgenommen.</translation>
    </message>
    <message>
        <source>Not taken back: {why}</source>
        <translation>Nicht zurückgenommen: {why}</translation>
    </message>
    <message>
        <source>Part {part} was just judged by {who}.</source>
        <translation>Teil {part} wurde gerade von {who} beurteilt.</translation>
    </message>
</context>
<context>
    <name>ReviewPage</name>
    <message>
        <source>Ask again</source>
        <translation>Neu abfragen</translation>
    </message>
    <message>
        <source>Class of the chosen box</source>
        <translation>Klasse des gewählten Rahmens</translation>
    </message>
    <message>
        <source>Class of the next box</source>
        <translation>Klasse des nächsten Rahmens</translation>
    </message>
    <message>
        <source>The part is bad, and this is the defect:</source>
        <translation>Das Teil ist schlecht, der Fehler ist:</translation>
    </message>
    <message>
        <source>The part is not here yet.</source>
        <translation>Das Teil ist noch nicht da.</translation>
    </message>
    <message>
        <source>Choose a box.</source>
        <translation>Wählen Sie einen Rahmen.</translation>
    </message>
    <message>
        <source>Nothing to take back.</source>
        <translation>Nichts zurückzunehmen.</translation>
    </message>
    <message>
        <source>Nothing waits for a review.</source>
        <translation>Nichts wartet auf Nachprüfung.</translation>
    </message>
    <message>
        <source>Not yet sent: {n}, said by {who}. Kept here, and sent when {who} logs in.</source>
        <translation>Noch nicht gesendet: {n}, gesagt von {who}. Hier aufbewahrt und gesendet, wenn {who} sich anmeldet.</translation>
    </message>
    <message>
        <source>Not yet sent: {n}. Kept here, and sent when the station answers. Do not close the screen.</source>
        <translation>Noch nicht gesendet: {n}. Hier aufbewahrt und gesendet, wenn die Station antwortet. Den Bildschirm nicht schließen.</translation>
    </message>
</context>
<context>
    <name>Strip</name>
    <message>
        <source>Not answering</source>
        <translation>Antwortet nicht</translation>
    </message>
    <message>
        <source>{n} faults</source>
        <translation>{n} Störungen</translation>
    </message>
    <message>
        <source>1 fault</source>
        <translation>1 Störung</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>Unbekannt</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
</context>
<context>
    <name>SuspectsDialog</name>
    <message>
        <source>Parts in doubt</source>
        <translation>Teile in Zweifel</translation>
    </message>
    <message>
        <source>They left as good after the last test that passed. Find them and look at them again.</source>
        <translation>Sie gingen nach dem letzten bestandenen Test als gut hinaus. Suchen und noch einmal ansehen.</translation>
    </message>
    <message>
        <source>Part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>Nummer</translation>
    </message>
    <message>
        <source>When</source>
        <translation>Wann</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Loading …</source>
        <translation>Lädt …</translation>
    </message>
    <message>
        <source>Save CSV …</source>
        <translation>CSV speichern …</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>{n} so far …</source>
        <translation>{n} bis jetzt …</translation>
    </message>
    <message>
        <source>{n} parts</source>
        <translation>{n} Teile</translation>
    </message>
    <message>
        <source>{n} parts; the newest are shown, all are saved</source>
        <translation>{n} Teile; gezeigt werden die neuesten, gespeichert alle</translation>
    </message>
    <message>
        <source>Save CSV</source>
        <translation>CSV speichern</translation>
    </message>
    <message>
        <source>Saved: {path}</source>
        <translation>Gespeichert: {path}</translation>
    </message>
</context>
<context>
    <name>Tiles</name>
    <message>
        <source>Camera {name}</source>
        <translation>Kamera {name}</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Platte</translation>
    </message>
    <message>
        <source>{n} dropped</source>
        <translation>{n} verworfen</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keines</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>Verbunden</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>Keine Verbindung</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>Unbekannt</translation>
    </message>
    <message>
        <source>{size} free</source>
        <translation>{size} frei</translation>
    </message>
    <message>
        <source>images {size}</source>
        <translation>Bilder {size}</translation>
    </message>
</context>
<context>
    <name>TimeBar</name>
    <message>
        <source>Picture</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Warten</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Decision</source>
        <translation>Entscheidung</translation>
    </message>
    <message>
        <source>Record and the rest</source>
        <translation>Aufzeichnung und Rest</translation>
    </message>
</context>
<context>
    <name>TrendsPage</name>
    <message>
        <source>Save CSV …</source>
        <translation>CSV speichern …</translation>
    </message>
    <message>
        <source>Save picture …</source>
        <translation>Bild speichern …</translation>
    </message>
    <message>
        <source>This shift</source>
        <translation>Diese Schicht</translation>
    </message>
    <message>
        <source>Last 8 hours</source>
        <translation>Letzte 8 Stunden</translation>
    </message>
    <message>
        <source>Last 24 hours</source>
        <translation>Letzte 24 Stunden</translation>
    </message>
    <message>
        <source>Last 7 days</source>
        <translation>Letzte 7 Tage</translation>
    </message>
    <message>
        <source>From … to …</source>
        <translation>Von … bis …</translation>
    </message>
    <message>
        <source>All recipes</source>
        <translation>Alle Rezepte</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>From</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>To</source>
        <translation>Bis</translation>
    </message>
    <message>
        <source>{station}: {recipe}, {since} to {until}. {total} parts, yield {share}</source>
        <translation>{station}: {recipe}, {since} bis {until}. {total} Teile, Ausbeute {share}</translation>
    </message>
    <message>
        <source>all recipes</source>
        <translation>alle Rezepte</translation>
    </message>
    <message>
        <source>Save CSV</source>
        <translation>CSV speichern</translation>
    </message>
    <message>
        <source>Save picture</source>
        <translation>Bild speichern</translation>
    </message>
    <message>
        <source>Saved: {path}</source>
        <translation>Gespeichert: {path}</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>{path} kann nicht geschrieben werden.</translation>
    </message>
</context>
<context>
    <name>Use</name>
    <message>
        <source>Use on the line …</source>
        <translation>An die Linie …</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>Keine Verbindung zur Station.</translation>
    </message>
    <message>
        <source>Wait a moment.</source>
        <translation>Einen Moment.</translation>
    </message>
    <message>
        <source>Parts are judged by it now.</source>
        <translation>Nach ihm wird jetzt geprüft.</translation>
    </message>
    <message>
        <source>Judge by {name} from now on?</source>
        <translation>Ab jetzt nach {name} prüfen?</translation>
    </message>
    <message>
        <source>Parts under way are still judged by the recipe of now. Ready is 0 until the station has tried the new one. It stays chosen after a restart.</source>
        <translation>Teile, die unterwegs sind, werden noch nach dem jetzigen Rezept geprüft. Ready ist 0, bis die Station das neue erprobt hat. Es bleibt nach einem Neustart gewählt.</translation>
    </message>
    <message>
        <source>Use on the line</source>
        <translation>An die Linie</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>The recipe is being changed …</source>
        <translation>Das Rezept wird gewechselt …</translation>
    </message>
    <message>
        <source>Parts are judged by another recipe now.</source>
        <translation>Ab jetzt wird nach einem anderen Rezept geprüft.</translation>
    </message>
</context>
<context>
    <name>VerdictBand</name>
    <message>
        <source>Verdicts are not known here.</source>
        <translation>Urteile sind hier nicht bekannt.</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>No part yet.</source>
        <translation>Noch kein Teil.</translation>
    </message>
    <message>
        <source>Part {id}</source>
        <translation>Teil {id}</translation>
    </message>
    <message>
        <source>Last part: {id}, {word}</source>
        <translation>Letztes Teil: {id}, {word}</translation>
    </message>
</context>
<context>
    <name>Versions</name>
    <message>
        <source>Version</source>
        <translation>Fassung</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>Gespeichert</translation>
    </message>
    <message>
        <source>By</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Bemerkung</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>Fassungen</translation>
    </message>
    <message>
        <source>Bringing a version back saves it as a new one; nothing is lost.</source>
        <translation>Eine zurückgeholte Fassung wird als neue gespeichert; nichts geht verloren.</translation>
    </message>
    <message>
        <source>Why?</source>
        <translation>Warum?</translation>
    </message>
    <message>
        <source>Bring back</source>
        <translation>Zurückholen</translation>
    </message>
    <message>
        <source>(now)</source>
        <translation>(jetzt)</translation>
    </message>
    <message>
        <source>Choose an earlier version.</source>
        <translation>Eine frühere Fassung wählen.</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>Connecting to {url} …</source>
        <translation>Verbinde mit {url} …</translation>
    </message>
    <message>
        <source>{user} is logged in.</source>
        <translation>{user} ist angemeldet.</translation>
    </message>
    <message>
        <source>Your login has ended. Log in again.</source>
        <translation>Ihre Anmeldung ist abgelaufen. Bitte neu anmelden.</translation>
    </message>
    <message>
        <source>Logged out: nobody was at the screen.</source>
        <translation>Abgemeldet: Niemand war am Bildschirm.</translation>
    </message>
    <message>
        <source>Log out</source>
        <translation>Abmelden</translation>
    </message>
    <message>
        <source>Log in …</source>
        <translation>Anmelden …</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Vollbild</translation>
    </message>
    <message>
        <source>Not saved: {what}. It is lost when the screen is closed.</source>
        <translation>Nicht gespeichert: {what}. Es geht verloren, wenn der Bildschirm geschlossen wird.</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Close the screen?</source>
        <translation>Bildschirm schließen?</translation>
    </message>
    <message>
        <source>Close without saving</source>
        <translation>Schließen ohne zu speichern</translation>
    </message>
</context>
<context>
    <name>calls</name>
    <message>
        <source>The station did not answer in time. Try again.</source>
        <translation>Die Station hat nicht rechtzeitig geantwortet. Bitte erneut versuchen.</translation>
    </message>
    <message>
        <source>The station cannot be reached: {why}</source>
        <translation>Die Station ist nicht erreichbar: {why}</translation>
    </message>
    <message>
        <source>The station&apos;s answer is not known to this screen. Use the screen of the station&apos;s version.</source>
        <translation>Die Antwort der Station ist diesem Bildschirm unbekannt. Verwenden Sie den Bildschirm mit der Version der Station.</translation>
    </message>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} ist kein Bild, das dieser Bildschirm zeigen kann.</translation>
    </message>
    <message>
        <source>The station refused: {status}</source>
        <translation>Die Station hat abgelehnt: {status}</translation>
    </message>
</context>
<context>
    <name>cards</name>
    <message>
        <source>Picture not kept</source>
        <translation>Bild nicht aufbewahrt</translation>
    </message>
</context>
<context>
    <name>challenge</name>
    <message>
        <source>start of the shift</source>
        <translation>Schichtbeginn</translation>
    </message>
    <message>
        <source>after a change</source>
        <translation>nach einer Änderung</translation>
    </message>
    <message>
        <source>no reject for long</source>
        <translation>lange kein Ausschuss</translation>
    </message>
    <message>
        <source>good part</source>
        <translation>gutes Teil</translation>
    </message>
    <message>
        <source>bad part</source>
        <translation>schlechtes Teil</translation>
    </message>
    <message>
        <source>bad: {defect}</source>
        <translation>schlecht: {defect}</translation>
    </message>
    <message>
        <source>Passed</source>
        <translation>Bestanden</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Nicht bestanden</translation>
    </message>
    <message>
        <source>Broken off</source>
        <translation>Abgebrochen</translation>
    </message>
</context>
<context>
    <name>pages</name>
    <message>
        <source>Line</source>
        <translation>Linie</translation>
    </message>
    <message>
        <source>Rejects</source>
        <translation>Ausschuss</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Nachprüfen</translation>
    </message>
    <message>
        <source>Trends</source>
        <translation>Verlauf</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>Prüftest</translation>
    </message>
    <message>
        <source>Faults</source>
        <translation>Störungen</translation>
    </message>
</context>
<context>
    <name>saving</name>
    <message>
        <source>{path} cannot be written: {why}</source>
        <translation>{path} kann nicht geschrieben werden: {why}</translation>
    </message>
</context>
<context>
    <name>stream</name>
    <message>
        <source>{url} has no partsight API of version {ours}.</source>
        <translation>{url} hat keine partsight-API der Version {ours}.</translation>
    </message>
    <message>
        <source>The station has said nothing for some seconds.</source>
        <translation>Die Station hat seit einigen Sekunden nichts gesagt.</translation>
    </message>
    <message>
        <source>A message of the station could not be read: {why}</source>
        <translation>Eine Nachricht der Station war nicht lesbar: {why}</translation>
    </message>
    <message>
        <source>A picture of the station could not be read: {why}</source>
        <translation>Ein Bild der Station war nicht lesbar: {why}</translation>
    </message>
    <message>
        <source>The station speaks version {theirs} of the API, this screen version {ours}. Use the screen of the station&apos;s version.</source>
        <translation>Die Station spricht Version {theirs} der API, dieser Bildschirm Version {ours}. Verwenden Sie den Bildschirm mit der Version der Station.</translation>
    </message>
    <message>
        <source>The connection broke off.</source>
        <translation>Die Verbindung ist abgebrochen.</translation>
    </message>
    <message>
        <source>The station refused the stream: {why}</source>
        <translation>Die Station hat den Datenstrom abgelehnt: {why}</translation>
    </message>
</context>
<context>
    <name>trends</name>
    <message>
        <source>Yield (%)</source>
        <translation>Ausbeute (%)</translation>
    </message>
    <message>
        <source>{share} of {total} parts are OK</source>
        <translation>{share} von {total} Teilen sind OK</translation>
    </message>
    <message>
        <source>No parts in this time</source>
        <translation>Keine Teile in dieser Zeit</translation>
    </message>
    <message>
        <source>Control chart (p): not OK (%)</source>
        <translation>Regelkarte (p): nicht OK (%)</translation>
    </message>
    <message>
        <source>Mean {share}; {n} intervals outside the limits (▼)</source>
        <translation>Mittel {share}; {n} Abschnitte außerhalb der Grenzen (▼)</translation>
    </message>
    <message>
        <source>{time}   {share} of {n}   limits {lower} to {upper}</source>
        <translation>{time}   {share} von {n}   Grenzen {lower} bis {upper}</translation>
    </message>
    <message>
        <source>signal</source>
        <translation>Signal</translation>
    </message>
    <message>
        <source>Pareto of reasons</source>
        <translation>Pareto der Gründe</translation>
    </message>
    <message>
        <source>No rejects in this time</source>
        <translation>Kein Ausschuss in dieser Zeit</translation>
    </message>
    <message>
        <source>{n} parts are not OK; most: {reason}</source>
        <translation>{n} Teile sind nicht OK; am häufigsten: {reason}</translation>
    </message>
    <message>
        <source>{reason}: {n}, with those above it {share}</source>
        <translation>{reason}: {n}, mit denen darüber {share}</translation>
    </message>
    <message>
        <source>Trigger to verdict (ms)</source>
        <translation>Auslöser bis Urteil (ms)</translation>
    </message>
    <message>
        <source>deadline</source>
        <translation>Frist</translation>
    </message>
    <message>
        <source>{begin} to {end} ms: {n} parts</source>
        <translation>{begin} bis {end} ms: {n} Teile</translation>
    </message>
    <message>
        <source>all others</source>
        <translation>alle anderen</translation>
    </message>
</context>
<context>
    <name>words</name>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>NG</source>
        <translation>NG</translation>
    </message>
    <message>
        <source>REVIEW</source>
        <translation>PRÜFEN</translation>
    </message>
    <message>
        <source>INVALID</source>
        <translation>UNGÜLTIG</translation>
    </message>
    <message>
        <source>Starting up</source>
        <translation>Startet</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Gestoppt</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Suspended</source>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>Halted</source>
        <translation>Stillgesetzt</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Production</source>
        <translation>Produktion</translation>
    </message>
    <message>
        <source>Simulation</source>
        <translation>Simulation</translation>
    </message>
    <message>
        <source>Challenge test</source>
        <translation>Prüftest</translation>
    </message>
    <message>
        <source>Bypass</source>
        <translation>Bypass</translation>
    </message>
    <message>
        <source>Viewer</source>
        <translation>Betrachter</translation>
    </message>
    <message>
        <source>Operator</source>
        <translation>Bediener</translation>
    </message>
    <message>
        <source>Engineer</source>
        <translation>Techniker</translation>
    </message>
    <message>
        <source>Administrator</source>
        <translation>Administrator</translation>
    </message>
    <message>
        <source>Log in as {role} for this.</source>
        <translation>Dafür als {role} anmelden.</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>Verbindet</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>Verbunden</translation>
    </message>
    <message>
        <source>No answer</source>
        <translation>Keine Antwort</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>Keine Verbindung</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Other version</source>
        <translation>Andere Version</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>Öffnet</translation>
    </message>
    <message>
        <source>Streaming</source>
        <translation>Liefert Bilder</translation>
    </message>
    <message>
        <source>Armed</source>
        <translation>Wartet auf Auslöser</translation>
    </message>
    <message>
        <source>No pictures</source>
        <translation>Keine Bilder</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <translation>Verbindet neu</translation>
    </message>
    <message>
        <source>Ended</source>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Fault</source>
        <translation>Störung</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>weiter</translation>
    </message>
    <message>
        <source>reject</source>
        <translation>auswerfen</translation>
    </message>
    <message>
        <source>hold</source>
        <translation>festhalten</translation>
    </message>
    <message>
        <source>image is black</source>
        <translation>Bild ist schwarz</translation>
    </message>
    <message>
        <source>image is over-exposed</source>
        <translation>Bild ist überbelichtet</translation>
    </message>
    <message>
        <source>image is blurred</source>
        <translation>Bild ist unscharf</translation>
    </message>
    <message>
        <source>image is the same as the one before</source>
        <translation>Bild ist gleich dem vorigen</translation>
    </message>
    <message>
        <source>image has the wrong size</source>
        <translation>Bild hat die falsche Größe</translation>
    </message>
    <message>
        <source>image cannot be read</source>
        <translation>Bild ist nicht lesbar</translation>
    </message>
    <message>
        <source>image is too dark or too bright</source>
        <translation>Bild ist zu dunkel oder zu hell</translation>
    </message>
    <message>
        <source>too many saturated pixels</source>
        <translation>zu viele gesättigte Pixel</translation>
    </message>
    <message>
        <source>no image came for the trigger</source>
        <translation>kein Bild zur Auslösung</translation>
    </message>
    <message>
        <source>camera is lost</source>
        <translation>Kamera ist weg</translation>
    </message>
    <message>
        <source>image is incomplete</source>
        <translation>Bild ist unvollständig</translation>
    </message>
    <message>
        <source>a camera&apos;s view is missing</source>
        <translation>die Ansicht einer Kamera fehlt</translation>
    </message>
    <message>
        <source>no verdict in time</source>
        <translation>kein Urteil in der Zeit</translation>
    </message>
    <message>
        <source>too many parts at once</source>
        <translation>zu viele Teile auf einmal</translation>
    </message>
    <message>
        <source>station was started again</source>
        <translation>Station wurde neu gestartet</translation>
    </message>
    <message>
        <source>station was not running</source>
        <translation>Station lief nicht</translation>
    </message>
    <message>
        <source>record could not be written</source>
        <translation>Aufzeichnung nicht möglich</translation>
    </message>
    <message>
        <source>internal fault</source>
        <translation>innerer Fehler</translation>
    </message>
    <message>
        <source>station was shutting down</source>
        <translation>Station wurde heruntergefahren</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>Modell ist gescheitert</translation>
    </message>
    <message>
        <source>model is stuck</source>
        <translation>Modell hängt</translation>
    </message>
    <message>
        <source>no part is there</source>
        <translation>kein Teil vorhanden</translation>
    </message>
    <message>
        <source>part is out of place</source>
        <translation>Teil liegt falsch</translation>
    </message>
    <message>
        <source>part is turned</source>
        <translation>Teil ist verdreht</translation>
    </message>
    <message>
        <source>wrong part</source>
        <translation>falsches Teil</translation>
    </message>
    <message>
        <source>wrong number of features</source>
        <translation>falsche Anzahl Merkmale</translation>
    </message>
    <message>
        <source>no evidence that the part is good</source>
        <translation>kein Nachweis, dass das Teil gut ist</translation>
    </message>
    <message>
        <source>doubtful</source>
        <translation>zweifelhaft</translation>
    </message>
    <message>
        <source>{n} s</source>
        <translation>{n} s</translation>
    </message>
    <message>
        <source>{n} min</source>
        <translation>{n} min</translation>
    </message>
    <message>
        <source>{h} h {m} min</source>
        <translation>{h} h {m} min</translation>
    </message>
    <message>
        <source>{n} days</source>
        <translation>{n} Tage</translation>
    </message>
</context>
</TS>
