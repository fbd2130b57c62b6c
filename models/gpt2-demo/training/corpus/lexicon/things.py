"""Foods, objects, places and what is done with them."""

from ..english import words

FRUIT = words("apple, pear, banana, orange, lemon, peach, plum, melon, cherry, grape, strawberry")
VEGETABLES = words("carrot, onion, potato, tomato, cabbage, pepper, cucumber, mushroom, pumpkin")
FOOD_COUNT = words("""apple, pear, banana, orange, sandwich, cake, pie, biscuit, egg, sausage,
    pancake,
cookie, muffin, salad, pizza, omelette, bowl of soup, piece of bread, slice of cheese, plum""")
FOOD_MASS = words("""bread, soup, cheese, rice, pasta, chicken, fish, butter, honey, jam, chocolate,
ice cream, porridge, stew, vegetable curry, fried rice, apple pie, lentil soup, fresh bread""")
DRINKS = words(
    "tea, coffee, water, milk, lemonade, hot chocolate, orange juice, red wine, cold beer"
)
DISHES = words("""vegetable soup, tomato soup, apple pie, potato salad, mushroom stew, lemon cake,
chicken soup, carrot cake, fried rice, onion soup, cheese omelette, pumpkin pie, fruit salad,
bean stew, fish curry, banana bread, pancakes, rice pudding, chocolate cake, pasta with tomatoes""")
SHOP_ITEMS = {
    "apple": (1, 2), "loaf of bread": (2, 4), "bottle of milk": (1, 3), "bag of rice": (3, 6),
    "box of eggs": (2, 5), "jar of honey": (4, 8), "bar of chocolate": (1, 3), "cake": (8, 15),
    "piece of cheese": (3, 7), "bottle of wine": (6, 14), "bag of potatoes": (2, 5),
    "pencil": (1, 2), "notebook": (2, 5), "pen": (1, 4), "book": (8, 18), "newspaper": (1, 3),
    "candle": (2, 4), "cup": (3, 8), "plate": (4, 9), "lamp": (15, 40), "chair": (20, 60),
    "scarf": (8, 20), "hat": (10, 25), "pair of socks": (3, 7), "shirt": (12, 30), "kite": (7, 15),
    "ball": (4, 12), "umbrella": (9, 20), "ticket": (5, 15), "flower": (1, 4), "rope": (5, 9),
}  # fmt: skip
POSSESSIONS = words("""
bicycle, kite, umbrella, violin, guitar, camera, hat, coat, scarf, lamp, clock, watch, ring, box, \
    key,
map, letter, book, diary, boat, car, bag, suitcase, drum, piano, telescope, radio, teapot, cup, \
    chair,
table, mirror, candle, ball, doll, basket, blanket, knife, pen, notebook, flute, coin, statue, \
    painting
""")
SMALL_THINGS = words("""
key, ring, coin, letter, map, watch, book, hat, scarf, pen, notebook, flute, camera, photograph,
button, necklace, tea spoon, wooden box, pocket watch, glass ball, toy drum, round stone,
glass bird, tin soldier, lucky shell, music box, compass, whistle, lantern, paper boat, brass bell
""")
TEXTS = words("book, letter, newspaper, poem, story, novel, diary, magazine, report, old map")
VEHICLES = words("bus, train, car, boat, bicycle, tram, ship, taxi, van")
HIDING = words("""
under the bed, behind the clock, in the garden, in the attic, under the old bridge, in the cellar,
behind the curtain, in the kitchen drawer, on the top shelf, under the stairs, in a hollow tree,
behind the church, in the boat house, under a flat stone, in the piano, behind the bakery
""")
MATERIALS = words(
    "wood, glass, silver, stone, paper, brass, leather, gold, iron, clay, wool, copper"
)
TOWN_PLACES = words("""
park, market, library, station, harbour, museum, theatre, school, church, bakery, hospital, old \
    bridge,
town hall, cinema, post office, bookshop, cafe, castle, square, swimming pool, garden, beach, \
    forest,
river, lake, zoo, airport, playground, restaurant, farm, mill, lighthouse, bus stop, main square
""")
CRAFTS = words("box, bird, boat, spoon, ring, statue, flute, whistle, lantern, horse, mask, bowl")
BUILDINGS = words("""museum, school, church, bakery, hospital, town hall, theatre, castle, library,
post office, mill, cinema, restaurant""")
CITY_COUNTRY = {
    "Paris": "France", "London": "England", "Rome": "Italy", "Madrid": "Spain", "Berlin": "Germany",
    "Vienna": "Austria", "Prague": "the Czech Republic", "Lisbon": "Portugal", "Athens": "Greece",
    "Oslo": "Norway", "Stockholm": "Sweden", "Helsinki": "Finland", "Copenhagen": "Denmark",
    "Warsaw": "Poland", "Budapest": "Hungary", "Dublin": "Ireland", "Brussels": "Belgium",
    "Cairo": "Egypt", "Nairobi": "Kenya", "Tokyo": "Japan", "Beijing": "China", "Delhi": "India",
    "Ottawa": "Canada", "Lima": "Peru", "Havana": "Cuba", "Moscow": "Russia", "Kyiv": "Ukraine",
    "Rabat": "Morocco", "Tunis": "Tunisia", "Hanoi": "Vietnam", "Bangkok": "Thailand",
}  # fmt: skip
OTHER_CITIES = words("""
Hamburg, Munich, Lyon, Milan, Naples, Venice, Barcelona, Seville, Porto, Bergen, Boston, Chicago,
Seattle, New York, Toronto, Sydney, Mumbai, Istanbul, Edinburgh, Manchester, Zurich, Geneva, Osaka
""")
LANGUAGES = {
    "France": "French", "England": "English", "Italy": "Italian", "Spain": "Spanish",
    "Germany": "German", "Austria": "German", "Portugal": "Portuguese", "Greece": "Greek",
    "Norway": "Norwegian", "Sweden": "Swedish", "Poland": "Polish", "Hungary": "Hungarian",
    "Japan": "Japanese", "China": "Chinese", "Russia": "Russian", "Denmark": "Danish",
    "Finland": "Finnish", "Ukraine": "Ukrainian", "Vietnam": "Vietnamese", "Thailand": "Thai",
}  # fmt: skip
INSTRUMENTS = words("piano, violin, guitar, flute, drums, trumpet, cello, harp, clarinet")
HOBBIES = words("""
reading, cooking, swimming, painting, singing, gardening, fishing, dancing, hiking, cycling, chess,
photography, football, tennis, knitting, baking, sailing, drawing, writing poems, playing the piano
""")
