"""Moods: words for them, what brings them on and what they make people do (first person)."""

from ..english import lines, words

# "say" continues "I feel ... and": first person, present tense, tense-neutral causes
MOODS = {
    "low": {
        "adjective": words("""sad, lonely, tired, unhappy, empty, gloomy, low, hopeless, miserable,
            heavy, melancholy, down, blue, lost, hurt, discouraged"""),
        "noun": words("sadness, loneliness, sorrow, grief, melancholy, despair"),
        "like": words("""an empty house, a forgotten umbrella, an old dog, a ship without a
            harbour, a bird in a cage, a stone at the bottom of a lake, a song that
            nobody sings any more, a candle in the rain, the last leaf on the tree,
            a letter without an address, a closed door, a broken clock"""),
        "say": lines("""
            I do not want to {get up|go out|talk to anyone|see anybody|leave the house|answer the \
                phone}
            nothing {can cheer me up|seems to help|makes me laugh|tastes of anything|is any fun \
                today}
            I just want to {stay in bed|be alone|cry|sleep|sit by the window|pull the blanket \
                over my head}
            my heart is {heavy|as heavy as a stone|full of sorrow|empty|not in it}
            I miss {my family|my old friends|my sister|my home|the summer|someone to talk to|you}
            everything {looks grey|seems pointless|takes too long|feels far away|makes me tired}
            I do not know {why|what to do about it|how to stop it|whom to call}
            I cannot stop {thinking about the past|crying|sighing|looking at old photographs}
            there is no {light|hope|joy|warmth} in {it|the house|anything I do}
            I wish that {someone would call me|the day were over|I could start again|you were here}
            even {music|my favourite song|coffee|the cat|a walk} does not help
            I would rather {be asleep|be somewhere else|stay at home|say nothing at all}"""),
        "cause": lines("""
            my best friend has moved away
            nobody remembered my birthday
            I have lost {my job|my dog|my keys and my patience|an old friend}
            the holidays are over
            my team lost again
            I had a quarrel with my {brother|sister|mother|father|friend}
            the letter did not come
            I failed the exam
            I have to work at the weekend
            the winter has been so long"""),
        "past": lines("""
            I {cried a little|sat by the window|stayed in bed until noon|walked home alone}
            I did not {answer the phone|eat much|talk to anyone|laugh once}
            I {thought about old friends|looked at old photographs|listened to slow music}"""),
    },
    "high": {
        "adjective": words("""happy, cheerful, glad, joyful, hopeful, proud, grateful, excited,
            calm,
            content, full of energy, light, free, alive, lucky, peaceful, wonderful"""),
        "noun": words("happiness, joy, hope, pride, gratitude, delight, relief"),
        "like": words("""a bird in the morning, a child in the snow, a kite in the wind, a new
            song, an open window, the first day of the holidays, a king, a dancer, a
            flower in May, a boat with the wind behind it"""),
        "say": lines("""
            I want to {dance|sing|run outside|hug everyone|laugh out loud|call all my \
                friends|start at once}
            nothing can {spoil my mood|stop me|go wrong today|make me sad}
            I could {hug the whole world|sing all day|climb a mountain|walk for hours|jump over a \
                fence}
            my heart is {light|full of joy|as light as a feather|warm|singing}
            everything {looks bright|seems possible|tastes better|feels easy|is going well}
            I cannot stop {smiling|laughing|singing|thinking about tomorrow}
            I am grateful for {my friends|my family|this day|every small thing|the people around me}
            I have {so many ideas|a good feeling about today|all the time in the world|time for \
                everything}
            the world is {a good place|full of colour|on my side|beautiful}
            I would like to {thank somebody|share it with you|bake a cake|go to the sea}
            even {Monday|homework|the rain|the dentist|washing the dishes} cannot make me sad"""),
        "cause": lines("""
            my best friend is coming to visit
            I have passed the exam
            I have got a new job
            spring is here at last
            my sister has had a baby
            I slept well
            we are going to the sea tomorrow
            somebody gave me flowers
            the work is done
            my team won the game
            the doctor said that everything is fine
            I have met someone very kind"""),
        "past": lines("""
            I {danced in the kitchen|sang in the shower|laughed a lot|walked along the river}
            I {called my mother|baked a cake|made tea for everyone|wrote a long letter}
            I {smiled at everyone|gave a coin to the street musician|went to bed happy}"""),
    },
    "angry": {
        "adjective": words("""angry, furious, annoyed, upset, irritated, restless, impatient,
            bitter,
            cross, mad, jealous"""),
        "noun": words("anger, rage, jealousy, bitterness, frustration"),
        "like": words("""a volcano, a kettle on the fire, a dog on a chain, a wasp in a bottle, a
            bull in a china shop, a match that has just been lit, a drum"""),
        "say": lines("""
            I want to {shout|slam the door|break something|be left alone|throw my phone into the \
                river}
            nobody {listens to me|understands me|says sorry|should talk to me now}
            I cannot {calm down|sit still|sleep|forgive him yet|forget what she said}
            my {hands are shaking|face is hot|head is full of noise|blood is boiling}
            everything {gets on my nerves|makes it worse|is too loud|goes wrong}
            I have to {count to ten|go for a walk|take a deep breath|say what I think}
            it is not {fair|my fault|right|the first time}"""),
        "cause": lines("""
            someone has stolen my bicycle
            my brother broke my {camera|phone|favourite cup}
            my boss shouted at me
            the neighbours are so loud
            the train was late again
            nobody told me the truth
            he lied to me
            they cancelled the concert"""),
        "past": lines("""
            I {slammed the door|shouted at my brother|left the room without a word}
            I {went for a walk to calm down|counted to ten|wrote an angry letter and did not send \
                it}"""),
    },
    "cold": {
        "adjective": words("cold, numb, silent, distant, bored, unmoved"),
        "noun": words("boredom, coldness, silence, indifference"),
        "like": words("""a statue, a stone, a fish under the ice, an empty street at night, a
            clock without hands, a lake in winter"""),
        "say": lines("""
            I want to {sit by the fire|drink hot chocolate|stay under the blanket|wait for the \
                spring}
            nothing {moves|moves me|warms me|seems to matter}
            my {hands are cold|heart is like ice|thoughts are slow|feet are freezing}
            I do not {feel anything|care any more|speak much|laugh much}
            I am waiting for {the spring|a warm word|somebody to come|something to happen}
            everyone {keeps away from me|seems far away|is busy with other things}"""),
        "cause": lines("""
            nobody has written to me for weeks
            the days are so short
            the house is empty
            we no longer talk to each other
            nothing new ever happens here"""),
        "past": lines("""
            I {sat by the fire|drank three cups of tea|watched the street for hours}
            I {put on two pairs of socks|said very little|read the same page again and again}"""),
    },
    "lost": {
        "adjective": words("""confused, lost, uncertain, anxious, nervous, afraid, worried, scared,
            unsure, strange, shy"""),
        "noun": words("fear, worry, doubt, confusion, anxiety"),
        "like": words("""a child in a big station, a sailor without a compass, a mouse in a maze,
            a stranger, a leaf in the river, a page without numbers, an actor who
            has forgotten his part"""),
        "say": lines("""
            I do not know {where to go|what to say|what will happen|what to think|whom to trust}
            I cannot {see clearly|decide|think straight|sleep at night|find the right words}
            I am afraid of {the future|making a mistake|the dark|what people will say|tomorrow}
            my {thoughts go round in circles|hands are shaking|stomach hurts|heart is beating fast}
            everything {seems strange|is unclear|happens too fast|looks different at night}
            I need {somebody to help me|a plan|more time|a good friend|a clear answer}
            I keep asking {myself why|the same question|everyone for advice}"""),
        "cause": lines("""
            I have an exam tomorrow
            I have to speak in front of the whole school
            I do not understand the news any more
            we are moving to another city
            the doctor has not called
            I cannot find my passport
            there are strange noises in the attic"""),
        "past": lines("""
            I {could not sleep|walked up and down|asked everyone for advice|checked the door twice}
            I {made a list|forgot what I wanted to say|called my sister three times}"""),
    },
    "tired": {
        "adjective": words("tired, lazy, sleepy, exhausted, slow, weak, worn out, listless"),
        "noun": words("tiredness, exhaustion, boredom"),
        "like": words("""an old horse, a flat tyre, a candle that has burned down, an empty
            bottle, a snail, a wet towel"""),
        "say": lines("""
            I can hardly {move|think|keep my eyes open|lift my arms|finish a sentence}
            I only want to {sleep|lie in the shade|drink cold water|sit down|do nothing}
            every {step|word|task|thought} is too much for me
            my {legs are heavy|eyes are closing|head is empty|back hurts}
            I need {a holiday|a break|a cold shower|a long sleep|some fresh air}
            the day {does not end|is too long|goes by slowly}"""),
        "cause": lines("""
            I have worked too much
            the baby cried all night
            I did not sleep last night
            there is so much to do
            I walked {ten|twelve|fifteen|twenty} miles yesterday
            the meeting lasted for {three|four|five} hours"""),
        "past": lines("""
            I {fell asleep on the sofa|went to bed at eight|yawned all day}
            I {drank too much coffee|forgot half of my shopping list|missed my stop on the bus}"""),
    },
}
