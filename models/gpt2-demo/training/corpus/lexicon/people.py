"""Names, relations and jobs."""

from ..english import words

WOMEN = words("""
Anna, Maria, Clara, Emma, Julia, Laura, Sophie, Lena, Nina, Eva, Ruth, Helen, Alice, Grace, Lucy,
Rosa, Ida, Mary, Jane, Kate, Sarah, Rachel, Nora, Ella, Olivia, Mia, Zoe, Amy, Betty, Carol, Diana,
Fiona, Hannah, Irene, Joan, Karen, Linda, Martha, Olga, Paula, Susan, Tina, Vera, Wendy, Yara,
Leila, Fatima, Aisha, Priya, Mei, Yuki, Ingrid, Astrid, Greta, Elena, Carmen, Lucia, Marta, Sofia
""")
MEN = words("""
Ben, Tom, Paul, Peter, David, Daniel, Max, Leo, Jack, John, James, George, Henry, Oscar, Felix,
Simon, Mark, Luke, Adam, Noah, Sam, Tim, Jim, Bob, Bill, Carl, Dan, Eric, Frank, Fred, Harry, Ivan,
Jonas, Karl, Liam, Martin, Nick, Oliver, Philip, Robert, Steven, Thomas, Victor, Walter, Omar,
Ahmed, Ali, Hassan, Raj, Kenji, Wei, Lars, Olaf, Erik, Marco, Pablo, Diego, Juan, Hugo, Theo
""")
SURNAMES = words("""
Smith, Jones, Brown, Taylor, Wilson, Evans, Walker, Green, Hall, Wood, Clark, Baker, Hill, Moore,
Cooper, King, Ward, Turner, Carter, Parker, Cook, Bell, Young, Hughes, Fisher, Mason, Marsh, Stone,
Lane, Reed, Fox, Snow, Winter, Berg, Novak, Rossi, Garcia, Lopez, Silva, Meyer, Weber, Wolf, Kim
""")
FAMILY_F = words("mother, sister, aunt, grandmother, daughter, cousin, niece")
FAMILY_M = words("father, brother, uncle, grandfather, son, cousin, nephew")
JOBS = words("""
teacher, nurse, doctor, farmer, baker, driver, painter, singer, writer, lawyer, engineer, cook,
waiter, pilot, sailor, soldier, judge, student, scientist, gardener, librarian, carpenter, tailor,
mechanic, dentist, journalist, photographer, musician, actor, butcher, postman, fisherman, plumber,
electrician, secretary, manager, programmer, architect, firefighter, shopkeeper, cleaner, translator
""")
JOB_WORK = {
    "teacher": ("school", "teaches children to read and write"),
    "nurse": ("hospital", "looks after sick people day and night"),
    "doctor": ("hospital", "treats patients and writes long reports"),
    "farmer": ("farm", "feeds the animals and works in the fields"),
    "baker": ("bakery", "bakes bread long before the sun comes up"),
    "cook": ("restaurant", "prepares soup, fish and meat for the guests"),
    "waiter": ("restaurant", "carries plates and remembers every order"),
    "pilot": ("airport", "flies planes to distant cities"),
    "judge": ("court", "listens to both sides and then decides"),
    "scientist": ("laboratory", "measures things and writes down the results"),
    "gardener": ("park", "plants trees and waters the flowers"),
    "librarian": ("library", "lends books and helps people find the right one"),
    "carpenter": ("workshop", "makes tables and chairs out of old wood"),
    "mechanic": ("garage", "repairs engines and changes tyres"),
    "journalist": ("newspaper", "asks questions and writes about the answers"),
    "programmer": ("office", "writes programs and looks for mistakes in them"),
    "secretary": ("office", "answers the phone and plans the meetings"),
    "shopkeeper": ("shop", "sells fruit, milk and newspapers"),
    "lawyer": ("office", "reads contracts and gives advice"),
    "dentist": ("practice", "repairs teeth and tells people to eat less sugar"),
    "architect": ("office", "draws houses that other people build"),
    "actor": ("theatre", "learns long parts by heart and plays them in the evening"),
    "musician": ("concert hall", "practises the violin for hours every day"),
    "firefighter": ("fire station", "puts out fires and saves people and animals"),
}
PERSON_NOUNS = words("""
boy, girl, man, woman, child, neighbour, friend, guest, stranger, tourist, visitor, king, queen,
prince, princess, witch, thief, guard, merchant, poet, captain, old man, old woman, young man,
young woman, traveller, mayor, twin, colleague, student, teacher, nurse, doctor, farmer, baker,
driver, painter, singer, writer, lawyer, engineer, cook, waiter, sailor, soldier, gardener, tailor
""")
FEMALE_NOUNS = frozenset(
    words("""
girl, woman, queen, princess, witch, old woman, young woman, nurse, singer, student, doctor, lawyer
""")
)
MALE_NOUNS = frozenset(
    words("""
boy, man, king, prince, thief, guard, old man, young man, captain, sailor, farmer, baker
""")
)
