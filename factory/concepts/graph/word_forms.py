"""Forms of one word of a name: singular for plural, one spelling of two, the person for the eponym's adjective.

Design: rules with stated exceptions, no dictionary and no model, so a name has the same normal form on every machine
and in every year. The rules may only do what keeps different things apart: a wrong singular ("lens" as "len") costs
nothing as long as nothing else is called that, because people are shown the commonest form that was written.

Cost: a microsecond a word.
"""

from __future__ import annotations

import re

_UNCHANGED_WORDS = """
    series species news lens bias atlas canvas alias chaos cosmos ethos pathos logos asbestos thermos diabetes rabies
    herpes pancreas christmas texas kansas arkansas always perhaps towards besides corps
    bayes stokes hobbes descartes socrates archimedes thales euripides sophocles hippocrates mercedes keynes
    reynolds williams adams rogers jenkins hopkins thomas douglas lucas dallas pythagoras judas midas los angeles
    kubernetes postgres https jones hayes rhodes barnes hughes charles james wales dreyfus leibniz aries gauss
"""
UNCHANGED = frozenset(_UNCHANGED_WORDS.split())
"""Words that end like a plural and are none: Latin and Greek singulars, proper names."""

_IRREGULAR_PAIRS = """
    matrices:matrix vertices:vertex indices:index vortices:vortex appendices:appendix helices:helix simplices:simplex
    codices:codex cortices:cortex apices:apex directrices:directrix latices:latex
    criteria:criterion phenomena:phenomenon automata:automaton polyhedra:polyhedron tetrahedra:tetrahedron
    octahedra:octahedron icosahedra:icosahedron mitochondria:mitochondrion ganglia:ganglion taxa:taxon
    bacteria:bacterium spectra:spectrum maxima:maximum minima:minimum extrema:extremum optima:optimum strata:stratum
    quanta:quantum momenta:momentum errata:erratum equilibria:equilibrium continua:continuum curricula:curriculum
    memoranda:memorandum ova:ovum millennia:millennium infima:infimum suprema:supremum symposia:symposium
    formulae:formula larvae:larva antennae:antenna algae:alga vertebrae:vertebra nebulae:nebula
    lemmata:lemma schemata:schema stomata:stoma stigmata:stigma
    nuclei:nucleus radii:radius foci:focus loci:locus moduli:modulus stimuli:stimulus fungi:fungus bacilli:bacillus
    cacti:cactus calculi:calculus tori:torus alumni:alumnus syllabi:syllabus genera:genus corpora:corpus
    axes:axis hypotheses:hypothesis theses:thesis syntheses:synthesis parentheses:parenthesis antitheses:antithesis
    analyses:analysis catalyses:catalysis paralyses:paralysis hydrolyses:hydrolysis electrolyses:electrolysis
    crises:crisis oases:oasis diagnoses:diagnosis prognoses:prognosis neuroses:neurosis psychoses:psychosis
    metamorphoses:metamorphosis prostheses:prosthesis emphases:emphasis ellipses:ellipse
    children:child men:man women:woman feet:foot teeth:tooth mice:mouse geese:goose oxen:ox
    lives:life leaves:leaf halves:half wolves:wolf knives:knife shelves:shelf selves:self wives:wife thieves:thief
    calves:calf loaves:loaf
    topics:topic metrics:metric characteristics:characteristic heuristics:heuristic epidemics:epidemic
    antibiotics:antibiotic critics:critic clinics:clinic fabrics:fabric cubics:cubic conics:conic quartics:quartic
    mosaics:mosaic relics:relic lyrics:lyric
    gases:gas biases:bias lenses:lens atlases:atlas canvases:canvas aliases:alias buses:bus viruses:virus
    statuses:status campuses:campus bonuses:bonus censuses:census apparatuses:apparatus nexuses:nexus
    radiuses:radius focuses:focus surpluses:surplus calculuses:calculus consensuses:consensus geniuses:genius
    abacuses:abacus minuses:minus pluses:plus syllabuses:syllabus
    caches:cache aches:ache headaches:headache niches:niche psyches:psyche avalanches:avalanche
    heroes:hero echoes:echo potatoes:potato tomatoes:tomato vetoes:veto torpedoes:torpedo mosquitoes:mosquito
    volcanoes:volcano mangoes:mango
    quizzes:quiz waltzes:waltz blitzes:blitz menus:menu movies:movie calories:calorie cookies:cookie zombies:zombie
    prairies:prairie genies:genie
"""
IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_PAIRS.split())
"""Plurals that no rule below makes."""

_SPELLING_PAIRS = """
    colour:color behaviour:behavior neighbour:neighbor neighbourhood:neighborhood labour:labor vapour:vapor
    centre:center fibre:fiber metre:meter litre:liter modelling:modeling labelling:labeling labelled:labeled
    signalling:signaling travelling:traveling travelled:traveled cancelling:canceling defence:defense
    programme:program catalogue:catalog analogue:analog dialogue:dialog grey:gray aluminium:aluminum sulphur:sulfur
    haemoglobin:hemoglobin anaemia:anemia oestrogen:estrogen foetus:fetus tumour:tumor judgement:judgment
    squared:square cubed:cube chi2:chi-square
"""
SPELLINGS = dict(pair.split(":") for pair in _SPELLING_PAIRS.split())
"""One spelling where two are in use: American for British, as most corpora are, and "chi squared" for χ²."""

_EPONYM_PAIRS = """
    pythagorean:pythagoras pythagorian:pythagoras euclidean:euclid euclidian:euclid archimedean:archimedes
    archimedian:archimedes ptolemaic:ptolemy platonic:plato aristotelian:aristotle copernican:copernicus
    galilean:galileo newtonian:newton gaussian:gauss laplacian:laplace lagrangian:lagrange hamiltonian:hamilton
    bayesian:bayes maxwellian:maxwell lorentzian:lorentz hookean:hooke markovian:markov darwinian:darwin
    mendelian:mendel keynesian:keynes malthusian:malthus freudian:freud kantian:kant
"""
EPONYMS = dict(pair.split(":") for pair in _EPONYM_PAIRS.split())
"""Adjective -> person, where both are said of the same thing. Left out because they are not: Abelian (theorems),
Eulerian (number), Jacobian (matrix), Riemannian (surface), Cartesian, Hermitian. Only before a noun: the Laplacian,
a Hamiltonian and a Gaussian are things of their own."""

PREFIXES = "non|anti|multi|quasi|pseudo|semi"
"""Prefixes that are no words: joined whether a hyphen or a space follows."""
HYPHENATED_PREFIXES = f"{PREFIXES}|co|pre|post|sub|super|un|re|inter|intra|hyper|ultra|micro|macro|meta|bi|tri|auto|de"
"""Prefixes that are joined only over a hyphen."""

_PLAIN = re.compile(r"[a-z]{4,}")
_ES = re.compile(r"(?:ss|sh|ch|x|zz)es$")


def singular(word: str) -> str:
    """The singular of a plural noun in lower case, else the word: "matrices" gives "matrix", "calculus" itself."""
    if not _PLAIN.fullmatch(word):
        return word
    known = IRREGULAR.get(word)
    if known is not None:
        return known
    if not word.endswith("s") or word in UNCHANGED or word.endswith(("ss", "us", "is", "ics")):
        return word
    if word.endswith("ies"):
        # ties, dies, pies are short; theories, categories are not
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if _ES.search(word):
        return word[:-2]
    return word[:-1]


def spelling(word: str) -> str:
    """The one spelling of a word in lower case."""
    known = SPELLINGS.get(word)
    if known is not None:
        return known
    if "isation" in word and len(word) > 9:
        return word.replace("isation", "ization")
    return word
