"""What every file is called: `{m}_` and one of these endings, m being the model's artifact name."""

# A dataset's folder, and the graph's
RUN = "run.json"
DATASET = "activation_dataset.csv"
PICKLE = "neuron_activations.pickle"
JSON = "neuron_activations.json"
MATRIX = "activation_matrix.npz"
FREQUENCY = "neuron_frequency.csv"
ATTRIBUTES = "neuron_attributes.csv"
EDGES = "neuron_edges.el"

# All files of a run; in the order in which they are deleted: first what says that a folder is
# finished, so that a kill leaves no such folder mixed.
RUN_FILES = (
    RUN,
    DATASET,
    PICKLE,
    JSON,
    MATRIX,
    FREQUENCY,
    ATTRIBUTES,
    EDGES,
)

# One text, traced
TRACE_VECTOR = "activations.pkl"
TRACE_IDS = "active_neurons.txt"

TRACE_FILES = (TRACE_VECTOR, TRACE_IDS)

# Pictures of the neurons and of the graph
NEURONS_PICTURE = "gelu_graph_neurons.png"
GRAPH_PICTURE = "gelu_graph.png"
GRAPHML = "gelu_graph.graphml"
GEXF = "gelu_graph.gexf"

GRAPH_PICTURE_FILES = (
    NEURONS_PICTURE,
    GRAPH_PICTURE,
    GRAPHML,
    GEXF,
)

# The analysis
TOKEN_CLUSTERS = "token_clusters.csv"
CLUSTERS_PICTURE = "token_clusters.png"
CLUSTERS_BY_PROMPT_PICTURE = "token_clusters_by_prompt.png"
IMPORTANT_NEURONS = "important_neurons.csv"
TOP_NEURONS_PICTURE = "top_neurons.png"
IMPORTANCE_BY_LAYER_PICTURE = "neuron_importance_by_layer.png"
TOKEN_SPECIFIC = "token_specific_neurons.csv"
TOKEN_SPECIFIC_PICTURE = "token_specific_neurons.png"
POSITION_SPECIFIC = "position_specific_neurons.csv"
POSITION_PICTURE = "position_layer_heatmap.png"
SAMPLE_SIMILARITIES = "sample_similarities.csv"
PROMPT_SIMILARITIES = "prompt_similarities.csv"
CONSISTENT_NEURONS = "consistent_neurons.csv"
SIMILARITIES_PICTURE = "sample_similarities.png"
TOKEN_ACROSS_PROMPTS = "token_across_prompts.csv"
SUMMARY = "analysis_summary.json"
REPORT = "analysis_report.html"

ANALYSIS_FILES = (
    TOKEN_CLUSTERS,
    CLUSTERS_PICTURE,
    CLUSTERS_BY_PROMPT_PICTURE,
    IMPORTANT_NEURONS,
    TOP_NEURONS_PICTURE,
    IMPORTANCE_BY_LAYER_PICTURE,
    TOKEN_SPECIFIC,
    TOKEN_SPECIFIC_PICTURE,
    POSITION_SPECIFIC,
    POSITION_PICTURE,
    SAMPLE_SIMILARITIES,
    PROMPT_SIMILARITIES,
    CONSISTENT_NEURONS,
    SIMILARITIES_PICTURE,
    TOKEN_ACROSS_PROMPTS,
    SUMMARY,
    REPORT,
)

# Patterns
PATTERNS = "patterns.csv"
PATTERN_NEURONS = "pattern_neurons.csv"
PATTERNS_DOCUMENT = "patterns.json"
PATTERNS_PICTURE = "patterns.png"
PATTERNS_REPORT = "patterns_report.html"

PATTERNS_FILES = (
    PATTERNS,
    PATTERN_NEURONS,
    PATTERNS_DOCUMENT,
    PATTERNS_PICTURE,
    PATTERNS_REPORT,
)

# Neurons predicted from tokens
ACTIVATION_PREDICTION = "activation_prediction.json"
ACTIVATION_PREDICTION_LAYERS = "activation_prediction_by_layer.csv"
ACTIVATION_PREDICTION_NEURONS = "activation_prediction_by_neuron.csv"
ACTIVATION_PREDICTION_RELIABILITY = "activation_prediction_reliability.csv"
ACTIVATION_PREDICTION_PICTURE = "activation_prediction.png"
ACTIVATION_PREDICTOR = "activation_predictor.json"
ACTIVATION_PREDICTOR_WEIGHTS = "activation_predictor.safetensors"
PREDICTED_NEURONS = "predicted_neurons.csv"  # of a text, where one is named

ACTIVATION_PREDICTION_FILES = (
    ACTIVATION_PREDICTION,
    ACTIVATION_PREDICTION_LAYERS,
    ACTIVATION_PREDICTION_NEURONS,
    ACTIVATION_PREDICTION_RELIABILITY,
    ACTIVATION_PREDICTION_PICTURE,
    ACTIVATION_PREDICTOR,
    ACTIVATION_PREDICTOR_WEIGHTS,
)

# Tokens read off the neurons
NEXT_TOKEN = "next_token_prediction.json"
NEXT_TOKEN_SCORES = "next_token_prediction.csv"
NEXT_TOKEN_NEURONS = "next_token_neurons.csv"
NEXT_TOKEN_DIRECT = "next_token_direct_path.csv"
NEXT_TOKEN_PICTURE = "next_token_prediction.png"

NEXT_TOKEN_FILES = (
    NEXT_TOKEN,
    NEXT_TOKEN_SCORES,
    NEXT_TOKEN_NEURONS,
    NEXT_TOKEN_DIRECT,
    NEXT_TOKEN_PICTURE,
)

# Several temperatures
TEMPERATURE_STUDY = "temperature_study.csv"
TEMPERATURE_PICTURE = "temperature_study.png"

TEMPERATURE_FILES = (TEMPERATURE_STUDY, TEMPERATURE_PICTURE)

# All of them
FINDINGS_REPORT = "findings.html"


def sample_picture(sample_id: int, vis_mode: str) -> str:
    """Return the ending of one sample's picture; the default mode is not named in it."""
    suffix = "" if vis_mode == "default" else f"_{vis_mode}"
    return f"sample_{sample_id}_activation{suffix}.png"
