"""Tiny stories with named people; what they own, want and find stays the same to the end."""

from ..english import lines
from ..rules import cast
from ..scope import Scope

# Each plot is a list of steps; a step is a table of alternatives, and one is taken from each.
LOST = [
    lines("""
        {A} was a~ {person_adj} {A.child} who lived {near the sea|in a small town|next to the mill}.
        Once upon a time there was a~ {person_adj} {A.child} called {A}.
        In {city} lived a~ {person_adj} {A.adult} named {A}.
        {A} lived with {A.his} {kin} in a house near the {town_place}."""),
    lines("""
        {A.he} had a~ {colour=col} {small=thing} that {A.he} loved more than anything.
        {A.his} greatest treasure was a~ {col2} {small=thing} that had belonged to {A.his} {kin}.
        For {A.his} birthday {A.he} had been given a~ {colour=col} {small=thing}."""),
    lines("""
        One {weekday} the {thing} was gone. {A} looked {hiding} and {hiding}, but it was not there.
        One {morning|evening|day} {A.he} could not find the {thing}. {A.he} looked everywhere.
        But on {weekday} morning {A.his} pocket was empty. "Where is my {thing}?" cried {A}."""),
    lines("""
        {A.his} friend {B} said: "Do not be sad. I will help you to look for the {thing}."
        {B}, {A.his} best friend, {asked every neighbour|searched the whole street} with {A.him}.
        "When did you last have it?" asked {B}. {A} did not remember.
        {A.he} asked {B}, but {B} had not seen the {thing} either."""),
    lines("""
        They went to the {town_place}. There they met a~ {pet=pet} with {something|a thing} in \
            its mouth.
        They searched at the {town_place}, but they only found a~ {small}.
        {B} had an idea. "Let us look {hiding=where}," {B.he} said.
        A~ {wild} sat in front of the door and looked at them as if it knew something."""),
    lines("""
        At last {B} found the {thing} {hiding}.
        Then {A} saw something shine {hiding}. It was the {thing}!
        In the evening a~ {person_adj} {job} knocked at the door. In one hand was the {thing}."""),
    lines("""
        {A} was so happy that {A.he} {hugged|kissed|thanked} {B} and {danced|laughed|cried} with \
            joy.
        {A} thanked {B} and never lost the {thing} again.
        From that day on {A} kept the {thing} {hiding}, and only {B} knew about it.
        "Without you I would never have found my {thing}," said {A} to {B}."""),
]
JOURNEY = [
    lines("""
        {A} had always wanted to see {city=goal}.
        Since {A.he} was a {A.child}, {A} had dreamed of {city=goal}.
        "One day I will go to {city=goal}," {A} always said."""),
    lines("""
        {A.he} was a~ {job=work} and did not have much money, so {A.he} saved every coin.
        {A.he} worked as a~ {job=work}, and nobody in {A.his} family had ever left the village.
        But {A.he} was a poor {job=work}, and the way to {goal} was long."""),
    lines("""
        One spring {A.he} packed {A.his} {possession=thing} and {left|set out|said goodbye}.
        After {number} years {A.he} took {A.his} {possession=thing} and went to the station.
        Then, on a~ {weekday}, {A.he} closed the door behind {A.him} and took only a~ \
            {possession=thing}."""),
    lines("""
        On the {train|ship|bus} {A.he} met {B}, a~ {person_adj} {B.adult} who was going to {goal} \
            too.
        On the way {A.he} met {B}. {B.he} was tired and hungry, so {A} gave {B.him} a~ {food}.
        In a small village {A.he} shared a~ {food} with {B}, who knew the road."""),
    lines("""
        "What do you want to do in {goal}?" asked {B}. "I want to see the {town_place}," said {A}.
        They talked about {topic} until the sun went down.
        It rained, and the road was long, but {B} told {A} stories about {goal}.
        At night {B} sang an old song, and {A} forgot that {A.his} feet hurt."""),
    lines("""
        When they saw {goal} for the first time, {A} {was silent|could not speak|began to cry}.
        After {number} days they came to {goal}.
        On a {sunny|rainy|cold} morning {A} and {B} stood in front of the {town_place} of \
            {goal}."""),
    lines("""
        {A} sold the {thing} and stayed in {goal} for ever.
        "{goal} is even more beautiful than I thought," said {A}. {B} only smiled.
        {A} works as a~ {work} in {goal} now, and {B} lives next door.
        Today {A} is old, but {A.he} still tells {A.his} children about {goal} and about {B}."""),
]
ANIMAL = [
    lines("""
        {A} found a~ {small|hungry|thin|lame|young} {farm_animal=pet} {near the river|at the gate}.
        One cold {weekday}, a~ {wild=pet} with a broken {leg|foot} came to the house of {A}.
        {A} had a~ {pet=pet} called {man=P}. They did everything together."""),
    lines("""
        "{poor|little|dear} {pet}," said {A}, and gave it {food_mass=meal}.
        {A.he} took the {pet} into the kitchen and gave it some {food_mass=meal}.
        The {pet} was shy, but it liked {food_mass=meal}."""),
    lines("""
        {A.his} {kin} did not want a~ {pet} in the house.
        "A~ {pet} does not belong in a house," said {B}, who lived next door.
        {B} laughed and said that a~ {pet} was good for nothing."""),
    lines("""
        One night there was a fire in the {town_place}. The {pet} woke everybody up.
        One day {B} fell into the river. The {pet} saw it and made so much noise that {A} came \
            running.
        In the winter {B} lost the way in the snow, and only the {pet} could find {B.him}.
        Some weeks later a thief came to the house of {B}. The {pet} scared him away."""),
    lines("""
        Since then {B} brings the {pet} {meal} every {weekday}.
        After that nobody laughed at {A} and {A.his} {pet} any more.
        "That is a very clever {pet}," said {B}, and {A} was proud.
        So {B} learned that a~ {pet} can be a friend, and {A} had always known it."""),
]
GIFT = [
    lines("""
        It was the birthday of {A}. {A.his} friends {B} and {C} wanted to give {A.him} something \
            special.
        {A} was ill, and {B} and {C} wanted to cheer {A.him} up.
        {A}, {B} and {C} had been friends since school. Now {A} was getting married."""),
    lines("""
        {B} bought a~ {colour=c1} {possession=g1}, and {C} made a~ {craft=g2} out of {material=m}.
        {B} wrapped a~ {possession=g1} in {colour=c1} paper. {C} brought a~ {craft=g2} of \
            {material=m}."""),
    lines("""
        On the way {B} dropped the {g1} into {a puddle|the river|the snow}.
        The shop was far away, and it was already {six|seven|eight} o'clock.
        "My present is better than yours," said {B}. "No, mine is better," said {C}.
        {C} was afraid that {A} would not like the {g2}."""),
    lines("""
        {A} opened the {g1} of {B} first, then the {g2} of {C}.
        {A} looked at the {g1} and at the {g2} for a long time.
        When {A} saw the {g1} and the {g2}, {A.he} did not know what to say."""),
    lines("""
        "The {g1} is useful and the {g2} is beautiful," {A.he} said. "But the best present is \
            that you came."
        {A.he} put the {g2} on the shelf and took the {g1} to {A.his} room.
        "Thank you, {B}. Thank you, {C}," said {A}, and they {ate cake|drank tea|laughed} until \
            midnight.
        {A.he} still has the {g1} from {B} and the {g2} from {C}."""),
]
LOVE = [
    lines("""
        {A} first saw {B} at the {town_place=place} in {city}. It was {raining|snowing|a warm \
            evening}.
        Every {weekday} {A} saw {B} at the {town_place=place}, but {A.he} was too shy to speak.
        {A} and {B} met at the {town_place=place} when both were tired of being alone."""),
    lines("""
        {B} was reading a~ {text=t}, and {A} asked what it was about.
        {B} dropped {B.his} {small=t}, and {A} picked it up.
        {B} played the {instrument=t}, and {A} listened until the end."""),
    lines("""
        "I think love is {a risk|a kind of music|worth it|simple}," said {A} later. {B} did not \
            answer at once.
        They talked about {topic} and about the {t}, and forgot the time.
        {A.his} heart beat fast. {A.he} wanted to say something clever, but {A.he} only said \
            hello."""),
    lines("""
        But then {B} had to go to {city=far} for {number} years. {B.he} wrote a letter every week.
        {A.his} {mother|father|aunt|uncle} was against it, because {B} was only a~ {job}.
        They had a quarrel about {topic}, and for {number} weeks they did not speak.
        In autumn {B} fell ill, and {A} sat by {B.his} bed every evening."""),
    lines("""
        In the end {A} asked {B} to marry {A.him}, and {B} said yes.
        They married in {spring|May|June}, and the {t} still lies on the table in the hall.
        {A} went back to the {place}. {B} was waiting there.
        "I love you," said {A}. "I know," said {B}, and took {A.his} hand.
        They are old now, but every {weekday} they go to the {place} where they met."""),
]
BET = [
    lines("""
        {A} and {B} made a bet: who could {swim across the lake|run to the old bridge|stay awake} \
            {faster|longer}?
        "I am cleverer than you," said {A} to {B}. "Then solve this riddle," said {B}."""),
    lines("""
        If {A} won, {A.he} would get the {possession=prize} of {B}.
        The winner would get the {colour=c} {possession=prize} of {B}."""),
    lines("""
        {A} was sure that {A.he} would win and {slept until noon|ate a~ cake|talked too much}.
        {B} practised every day, but {A} only {laughed|sang|slept}.
        {A} tried {once|twice|three times} and failed each time. {B} waited patiently."""),
    lines("""
        In the end {B} won, and so {B.he} kept {B.his} {prize}.
        But {A} was lucky and won. {B} gave {A.him} the {prize}, and {A} gave it back the next day.
        "You have won," said {A}. "Keep your {prize}. I have learned something." """),
]
STORM = [
    lines("""
        {A} and {A.his} {kin=k} lived in a small house by the {sea|river|lake}.
        {A} was a~ {person_adj} {A.adult} with a~ {colour=c} boat called {woman}.
        Every morning {A} went out on the water in {A.his} {colour=c} boat."""),
    lines("""
        One {weekday} a terrible storm came up. The waves were as high as houses.
        One day the sky turned black, and it began to blow.
        In {month} there was a storm, the worst for {number} years."""),
    lines("""
        {B}, a~ {job} from {city}, was still out on the water.
        From the shore {A} saw that {B} was in trouble.
        "Help!" somebody cried. It was {B}, {A.his} old enemy."""),
    lines("""
        {A} was afraid, but {A.he} did not think of {A.self}. {A.he} went out to find {B}.
        Nobody dared to go, only {A}. "I cannot leave {B} alone," {A.he} said.
        {A} took a rope and a~ {possession=p} and ran to the water."""),
    lines("""
        After an hour {A} came back, and {B} was with {A.him}.
        {A} threw the rope, and {B} caught it with both hands.
        It took a long time, but in the end {A} and {B} stood on dry land again."""),
    lines("""
        "I owe you my life, {A}," said {B}. "Then let us drink some {drink=d}," {A} answered.
        {B} gave {A} a~ {colour} {small=gift}, and {A} has kept it ever since.
        Since that day {A} and {B} have been the best of friends.
        {B} moved into the house next door, and on stormy nights {A} and {B} sit together."""),
]
SCHOOL = [
    lines("""
        {A} went to school in {city}. {A.his} teacher, {B}, was very strict.
        {B} was a teacher in {city}, and {A} was one of {B.his} pupils.
        On the first day of school {A} sat down next to {C}."""),
    lines("""
        {A} was good at {music|history|drawing} but hated sums.
        {A} never did {A.his} homework. {A.he} preferred {hobby=h}.
        "You will never learn it, {A}," said {B}. {A} was hurt."""),
    lines("""
        But {C}, who sat next to {A}, was patient and explained everything twice.
        Every afternoon {A} met {C} at the {town_place=p}, and they learned together.
        {C} had an idea. "I help you with sums, and you teach me to play the {instrument=i}." """),
    lines("""
        Before the exam {A} could not sleep. {A.he} thought of {topic} instead of numbers.
        On {weekday} was the exam. {A} was as white as a sheet.
        The exam was hard. {A} looked at {C}, and {C} smiled at {A.him}."""),
    lines("""
        "Well done, {A}," said {B} a week later. "I was wrong about you."
        {A} passed, and {B} shook {A.his} hand in front of the whole class.
        {A} had the best result in the class, and {C} was almost as good."""),
    lines("""
        Today {A} is a teacher, too, and {A.he} often thinks of {C}.
        "I could not have done it without {C}," said {A}.
        {A} ran home and told {A.his} {kin} about it. They celebrated with {food_mass}."""),
]
MYSTERY = [
    lines("""
        One morning the {material} {statue|bell|crown|bird} of {city=town} had disappeared. It \
            belonged to {B}.
        In {city=town} somebody stole {number} {+possession=t} from {B} in one night.
        "Somebody has stolen my {colour=c} {possession=t}!" cried {B}."""),
    lines("""
        {A}, a~ {person_adj} {job}, wanted to find the thief.
        The police had no idea, but {A} did. {A.he} loved riddles.
        {B} asked {A} for help, because {A} noticed everything."""),
    lines("""
        {A} found a~ {colour} {button|glove|scarf} near the {town_place=p}.
        In the snow {A} saw footprints that led to the {town_place=p}.
        A~ {job} told {A} that he had heard a noise near the {town_place=p}."""),
    lines("""
        {A.he} hid near the {p} and waited. At midnight {C} came.
        "{C} was at the {p} that night," thought {A}. "That is strange."
        Then {A} remembered that {C} always walked past the {p} on {weekday}."""),
    lines("""
        "It was you, {C}," said {A}. {C} turned red and {nodded|gave everything back}.
        {C} was not the thief. {C.he} only wanted to feed the birds there.
        It turned out that {C} had found it and wanted to bring it back."""),
    lines("""
        {B} thanked {A}, and {A} went home to sleep.
        Since then {A} is famous, and {C} is a little ashamed.
        "How did you know?" asked {B}. "I only looked and listened," said {A}."""),
]
PLOTS = [LOST, JOURNEY, ANIMAL, GIFT, LOVE, BET, STORM, SCHOOL, MYSTERY]
# Questions about a story that any telling of the plot can answer.
ASKED = {
    0: lines("""
        What had {A} lost? The {thing}.
        Who helped {A}? It was {B}."""),
    1: lines("""
        Where did {A} want to go? To {goal}.
        Whom did {A} meet on the way? {B}.
        What did {A} take along? A~ {thing}."""),
    2: lines("""
        What kind of animal was it? It was a~ {pet}.
        What did the {pet} like to eat? It liked {meal}."""),
    3: lines("""
        What did {B} give to {A}? A~ {g1}.
        Who made the {g2}? It was {C}.
        What did {C} bring? A~ {g2}."""),
    4: lines("""
        Where did {A} and {B} meet? At the {place}."""),
    6: lines("""
        Who was in danger? It was {B}.
        Who saved {B}? It was {A}."""),
}
TITLES = ("A story about {A}", "{A} and {B}", "{A}", "What happened to {A}")


def story(scope: Scope) -> str:
    """Return a story: one alternative from every step of a plot, with the cast kept throughout."""
    cast(scope, "A", "B", "C")
    scope.bound["col2"] = scope.rule("colour")
    number = scope.rng.randrange(len(PLOTS))
    steps = [scope.say(scope.fresh(step)).strip() for step in PLOTS[number]]
    if number in ASKED and scope.chance(0.4):
        steps += [scope.say(row) for row in scope.some_of(ASKED[number])]
    title = scope.say(scope.pick(TITLES)) + "\n" if scope.chance(0.25) else ""
    return title + (" ".join(steps) if scope.chance(0.8) else "\n".join(steps))


KINDS = {"story": (14, story)}
