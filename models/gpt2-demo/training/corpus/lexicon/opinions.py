"""Things people have opinions about, and what is said for and against them.

Predicates continue the name of the topic; {s}, {es}, {is}, {it}, {its} ... agree with it.
"""

from ..english import lines, words

# category: singular topics, plural topics
TOPICS = {
    "politics": (
        words("""communism, capitalism, democracy, socialism, monarchy, anarchy, liberalism,
            nationalism, feminism, globalisation, the government, the parliament, the constitution,
            the welfare state, bureaucracy, the new law, the president, the free market, populism,
            conservatism, federalism, the party, revolution, direct democracy"""),
        words(
            "elections, political parties, trade unions, strikes, protests, referendums, borders"
        ),
    ),
    "values": (
        words("""freedom, justice, equality, honesty, courage, patience, loyalty, tradition,
            progress, peace, tolerance, ambition, discipline, trust, privacy, forgiveness"""),
        words("human rights, good manners, old traditions, promises"),
    ),
    "love": (
        words("""love, friendship, marriage, romance, true love, kindness, tenderness, passion,
            family life, first love, a long marriage, falling in love"""),
        words("weddings, love letters, old friends, families, grandparents, children"),
    ),
    "money": (
        words("""money, work, wealth, saving money, the minimum wage, working from home, overtime,
            retirement, early retirement, the four-day week, a good salary, shopping, \
                advertising"""),
        words(
            "taxes, banks, high wages, meetings, big companies, small shops, credit cards, bosses"
        ),
    ),
    "society": (
        words("""school, homework, television, social media, the internet, public transport,
            religion,
            military service, football, fashion, the news, city life, country life, nuclear power,
            artificial intelligence, modern art, space travel"""),
        words("""cars, computers, mobile phones, video games, newspapers, school uniforms, robots,
            zoos,
            libraries, museums, bicycles, exams, electric cars, airports"""),
    ),
    "nature": (
        words("""winter, summer, autumn, spring, rain, snow, the sea, the forest, cold weather,
            fog, hot weather, a thunderstorm, the desert, the rain in November"""),
        words(
            "mountains, long walks, rainy days, sunny mornings, storms, islands, gardens, rivers"
        ),
    ),
    "animals": (
        words("keeping a dog, keeping a cat, hunting, horse riding, fishing, bird watching"),
        words("cats, dogs, horses, spiders, wolves, bees, pigeons, snakes, parrots, mice, foxes"),
    ),
    "food": (
        words("""coffee, tea, chocolate, fast food, vegetarian food, breakfast, soup, fish, sugar,
            fresh bread, cheese, spicy food, home cooking, garlic, salad, ice cream"""),
        words(
            "vegetables, mushrooms, pancakes, onions, eggs, cooking shows, lemons, olives, sweets"
        ),
    ),
    "culture": (
        words("""music, opera, poetry, jazz, reading, travel, travelling alone, learning languages,
            philosophy, history, science, mathematics, chess, dancing, the theatre, camping"""),
        words("""books, old films, fairy tales, concerts, crosswords, museums, long novels,
            holidays,
            train journeys, language courses, experiments"""),
    ),
}

PRO = {
    "politics": lines("""
        give{s} {the people a voice|workers a better life|everyone the same rights|power to the \
            people}
        protect{s} {the poor|the weak|our freedom|ordinary people|the rights of minorities}
        make{s} {the country stronger|society fairer|life safer|people more equal|peace possible}
        {has} {a bright future|done a lot of good|good intentions|many supporters|my full support}
        {is} {a good idea|better than people say|necessary|good for the country|the best answer \
            we have}
        work{s} {well in many countries|better than any other system|if people trust each other}
        help{s} {the poor|workers and their families|the whole nation|people who have no power}
        deserve{s} {our support|a second chance|a fair debate|more respect}
        {does} more good than harm
        bring{s} {people together|order into politics|new ideas into politics|justice to all}
        ask{s} {the rich to share with the poor|us to think of others|the right questions}"""),
    "values": lines("""
        {is} {worth fighting for|the basis of a good life|more important than money|never out of \
            date}
        make{s} {us human|life worth living|a country strong|people better|friendship possible}
        {is} {needed more than ever|a gift|something that every child should learn}
        give{s} {people dignity|us strength|life a direction|hope to those who have nothing}
        hold{s} {society together|families together|the world together}
        cost{s} nothing and give{s} a lot
        begin{s} {at home|in small things|with respect}"""),
    "love": lines("""
        {is} {the best thing in the world|the most important thing in life|stronger than fear|a \
            gift}
        {is} {worth every tear|worth waiting for|like a warm fire in winter|the reason we \
            live|everything}
        make{s} {life beautiful|us better people|the heart lighter|every day a little brighter}
        give{s} {us hope|us strength|life a meaning|people courage|us a home}
        grow{s} {slowly like a tree|stronger with time|when it is shared|out of trust}
        need{s} {time and patience|trust|honesty|two people who listen}
        bring{s} {people together|joy into the house|out the best in us}
        last{s} {longer than beauty|a lifetime|if both people are kind}
        heal{s} {old wounds|a broken heart|more than any medicine}
        {is} {patient and kind|blind but happy|a kind of music|a light in the dark|simple and \
            deep}"""),
    "money": lines("""
        {is} {useful|necessary|good for the economy|part of a modern life|better than people say}
        give{s} {people security|young people a chance|us more freedom|families a safe home}
        help{s} {the economy grow|to build schools and hospitals|people plan the future}
        make{s} {life easier|good ideas possible|people independent}
        pay{s} for {schools and hospitals|roads and bridges|the things that we all need}
        {is} {fair if everybody plays by the rules|a sign of a healthy economy}
        reward{s} {hard work|good ideas|those who are patient}"""),
    "society": lines("""
        {is} {useful|important|good for children|good for the city|more helpful than harmful|the \
            future}
        help{s} {people learn|us understand the world|old people stay in touch|to save time}
        make{s} {life easier|the city a better place|everyday life more interesting|people think}
        bring{s} {people together|the world closer|new ideas to everyone}
        teach{es} {us a lot|children to work together|people to be patient}
        {has} {changed the world for the better|many good sides|a place in modern life}
        save{s} {time and money|a lot of energy|lives}"""),
    "nature": lines("""
        {is} {beautiful|good for the soul|good for thinking|full of small wonders|my favourite \
            thing}
        make{s} {me happy|me feel alive|me calm|the world look new|people slow down}
        smell{s} of {earth and leaves|salt and freedom|wet grass|flowers|adventure}
        clear{s} {the head|the air|my thoughts}
        give{s} {me peace|us time to rest|me new strength}
        remind{s} me of {my childhood|my grandmother's garden|home|long holidays}
        {has} a beauty of {its} own"""),
    "animals": lines("""
        {is} {good for children|wonderful|a good teacher of patience|interesting to watch}
        make{s} {people happy|a house a home|us feel less lonely|every day more interesting}
        teach{es} {us patience|children to be kind|us to be quiet and watch}
        deserve{s} {respect|our protection|more space}
        {is} {part of nature|good for the soul|more useful than people think}"""),
    "food": lines("""
        {is} {delicious|healthy|the best part of the day|good for body and soul|cheap and good}
        taste{s} {wonderful|of summer|like home|best on a cold day|better with friends}
        make{s} {me happy|any meal better|a grey morning bright|guests smile}
        {is} {exactly what I need in the morning|a small holiday|never a mistake}
        keep{s} {people healthy|me awake|the doctor away}
        remind{s} me of {my grandmother's kitchen|our holidays in Italy|long breakfasts at \
            home}"""),
    "culture": lines("""
        {is} {good for the mind|a window to the world|the best way to spend a Sunday|never boring}
        open{s} {the mind|new doors|the heart}
        make{s} {us think|the world larger|people more tolerant|long evenings short}
        teach{es} {us who we are|us to see with other eyes|more than school does}
        give{s} {comfort in hard times|me new ideas|us something to talk about}
        tell{s} us {something true about life|where we come from}
        {is} {worth every penny|for everybody and not only for experts}"""),
}  # fmt: skip
CON = {
    "politics": lines("""
        give{s} {too much power to a few people|the state too much power|politicians an excuse}
        {does} not {work in practice|protect the poor|solve the real problems|respect the \
            individual}
        {is} {a bad idea|good on paper but bad in practice|dangerous|too expensive|out of date|a \
            failure}
        make{s} {people lazy|the rich even richer|everyone equally poor|people afraid of each other}
        take{s} {away our freedom|money from those who work hard|too long to change anything}
        {has} {failed in many countries|caused a lot of suffering|no answer to poverty|lost all \
            credit}
        ignore{s} {human nature|the poor|the needs of ordinary people|the lessons of history}
        promise{s} {too much|paradise and never brings it|more than anyone can keep}
        lead{s} to {corruption|long debates and no results|a strong state and weak \
            citizens|violence}
        divide{s} {the country|families|people into winners and losers}
        {does} more harm than good"""),
    "values": lines("""
        {is} {often only a word|not enough to fill a stomach|a luxury of the rich|overrated}
        mean{s} {different things to different people|nothing without justice|little to hungry \
            people}
        {is} {easy to praise and hard to practise|used as an excuse|not always possible}
        can be {dangerous when nobody asks questions|a burden|an excuse to do nothing}
        {does} not {pay the rent|come for free|help those who are alone}"""),
    "love": lines("""
        {is} {complicated|blind and a little stupid|more trouble than joy|overrated|a risk|a kind \
            of madness}
        hurt{s} {more than people admit|sooner or later|those who give too much}
        cost{s} {too much time|tears|too many sleepless nights}
        make{s} {people blind|us weak|wise people do foolish things|nobody happy for ever}
        {does} not {last|pay the bills|always make us happy|protect us from loneliness}
        end{s} {in tears more often than not|when the money is gone|too soon}
        {is} {not what the songs promise|only a story that we tell ourselves|like a storm at \
            sea}"""),
    "money": lines("""
        {does} not {make people happy|buy friends|help the poor|make the world fairer}
        {is} {too important in our lives|bad for the poor|unfair|the root of many quarrels|never \
            enough}
        make{s} {people greedy|the rich richer|us forget what really matters|everyone nervous}
        {is} {too high a price for a quiet life|a waste of time|boring}
        take{s} {time away from the family|all the joy out of life}
        destroy{s} {small towns|friendships|trust between people}"""),
    "society": lines("""
        {is} {a waste of time|bad for children|too loud|too expensive|boring|overrated|bad for us}
        make{s} {people lazy|people lonely|us stupid|the city ugly|everyone nervous}
        cost{s} {too much money|too much time|more than we think}
        take{s} {time away from better things|up too much space|the joy out of learning}
        {does} not {help anyone|make us happier|belong in a modern city|teach us anything}
        create{s} more problems than solutions
        spread{s} {lies|fear|bad habits}"""),
    "nature": lines("""
        {is} {too cold for me|too long|boring|lonely|a little dangerous|hard to bear}
        make{s} {me sad|me tired|my bones ache|everything grey|people stay at home}
        last{s} far too long
        {does} not {interest me|agree with me|let me sleep}
        remind{s} me of {sad days|everything I have lost|an empty house}
        {is} {nicer in books than in real life|good only for ducks}"""),
    "animals": lines("""
        {is} {too much work|loud and dirty|dangerous|cruel|expensive|a little frightening}
        make{s} {a mess in the garden|too much noise|people sneeze|me nervous}
        cost{s} {a lot of time|more money than people think}
        {does} not {belong in a city|interest me|make me happy}"""),
    "food": lines("""
        {is} {bad for the teeth|too expensive|overrated|too sweet for me|unhealthy|boring}
        taste{s} {of nothing|like old paper|bitter|too strong}
        make{s} {people fat|me tired|my stomach hurt|the whole kitchen smell}
        {does} not {agree with me|belong on a pizza|taste of anything|make me happy}
        keep{s} me awake at night"""),
    "culture": lines("""
        {is} {boring|too expensive|only for snobs|too slow for me|a waste of time|overrated}
        make{s} {me sleepy|people arrogant|my head ache}
        cost{s} {too much time|too much money|more effort than people think}
        {does} not {change the world|interest young people|help anyone find a job|make me happy}
        take{s} up too much of my time"""),
}  # fmt: skip
WHO_PRO = words("supporters, friends, defenders, admirers")
WHO_CON = words("critics, opponents, enemies")

PRO_ANY = lines("""
    {is} {a good thing|important|one of the best things we have|worth the trouble|close to my heart}
    {is} {more important than most people think|much better than nothing|not perfect, but good \
        enough}
    {is} {here to stay|something that I would defend|part of who we are}
    need{s} {more friends|time|a fair chance|our help}
    make{s} {sense|a difference|me hopeful}
    {has} {more good sides than bad ones|never disappointed me|a great future}""")
CON_ANY = lines("""
    {is} {a bad thing|not important|one of the great mistakes of our time|not worth the trouble}
    {is} {worse than most people think|nothing that I need|far from perfect|a step in the wrong \
        direction}
    {is} {something that we should give up|not for me|simply wrong}
    need{s} {to change|too much time|strict limits}
    make{s} {no sense|things worse|me angry|no difference}
    {has} {more bad sides than good ones|always disappointed me|no future}""")
PRO_TAILS = lines("""
    , and that is {what we need|a good thing|enough for me|no small thing}
    , and I am glad about that
    , and everybody can see it
    , at least {for most people|in the long run|in my country|if we use our heads}
    , even if {not everyone agrees|it takes time|some people laugh about it}
    {today|nowadays|in the end|more than ever}""")
CON_TAILS = lines("""
    , and that is {a pity|a serious problem|dangerous|enough for me|why I am worried}
    , and I am sorry about that
    , and everybody can see it
    , at least {for most people|in the long run|in my country|for ordinary people}
    , even if {not everyone agrees|nobody wants to hear it|it sounds good}
    {today|nowadays|in the end|more than ever}""")
