//! TypeScript's types of what crosses the boundary and is no struct, and names for all of them, so that functions say what
//! they take and give.
#![allow(missing_docs, reason = "each is described where its TypeScript type is")]

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Four bytes a pixel, row by row: red, green, blue, alpha (not premultiplied). */
export interface Picture { width: number; height: number; rgba: Uint8Array }
/** A picture that was decoded, with the SHA-256 of its pixels, and the name of a colour profile that was not applied. */
export interface Decoded extends Picture { sha256: string; profile: string | undefined }
/** A picture cut to a multiple of the scale, and what it is when shrunk. */
export interface BenchmarkPair { reference: Picture; low: Picture }
/** What a run gives. Signal-to-noise ratios in dB, infinite where quantization changes nothing: `layerDb` of each layer's input, `channelDb` of its channels (none where it is not quantized), `weightDb` of its weights (none in full precision). */
export interface Upscaled { picture: Picture; score: Score | undefined; layerDb: Float64Array; channelDb: Float64Array[]; weightDb: Float64Array; costs: Costs; seconds: number }
/** A channel of a layer's input as a picture, row by row, and what the method that is looked at makes of it. */
export interface ChannelPicture { view: ChannelView; width: number; height: number; values: Float32Array; quantized: Float32Array }
/** A file, and what is known of the network now. */
export interface Made { file: Uint8Array; info: NetworkInfo }
/** All that can be chosen, as it is by default. `bitWidths` are for all layers alike, `layerBitWidths` for single ones. `points` is how DFSQ chooses, `optimalPoints` how DFSQ-opt does; `program` names this program and its version. */
export interface Defaults { options: Options; points: PointSettings; optimalPoints: PointSettings; recipe: Recipe; bitWidths: BitWidth[]; layerBitWidths: BitWidth[]; program: string }
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Picture")]
    pub type JsPicture;
    #[wasm_bindgen(typescript_type = "Picture[]")]
    pub type JsPictures;
    #[wasm_bindgen(typescript_type = "Picture | undefined")]
    pub type JsReference;
    #[wasm_bindgen(typescript_type = "Decoded")]
    pub type JsDecoded;
    #[wasm_bindgen(typescript_type = "BenchmarkPair")]
    pub type JsBenchmarkPair;
    #[wasm_bindgen(typescript_type = "Pairing")]
    pub type JsPairing;
    #[wasm_bindgen(typescript_type = "Score | undefined")]
    pub type JsScore;
    #[wasm_bindgen(typescript_type = "Upscaled")]
    pub type JsUpscaled;
    #[wasm_bindgen(typescript_type = "Made")]
    pub type JsMade;
    #[wasm_bindgen(typescript_type = "EngineCheck")]
    pub type JsEngineCheck;
    #[wasm_bindgen(typescript_type = "Defaults")]
    pub type JsDefaults;
    #[wasm_bindgen(typescript_type = "Record<string, string> | undefined")]
    pub type JsProperties;
    #[wasm_bindgen(typescript_type = "NetworkInfo")]
    pub type JsNetworkInfo;
    #[wasm_bindgen(typescript_type = "Partial<Options>")]
    pub type JsOptions;
    #[wasm_bindgen(typescript_type = "Partial<PointSettings>")]
    pub type JsPointSettings;
    #[wasm_bindgen(typescript_type = "Partial<Recipe>")]
    pub type JsRecipe;
    #[wasm_bindgen(typescript_type = "BitWidth[]")]
    pub type JsBitWidths;
    #[wasm_bindgen(typescript_type = "Budget")]
    pub type JsBudget;
    #[wasm_bindgen(typescript_type = "[BitWidth, BitWidth][] | null")]
    pub type JsBitPairs;
    #[wasm_bindgen(typescript_type = "LayerErrors[]")]
    pub type JsLayerErrors;
    #[wasm_bindgen(typescript_type = "ChannelRequest")]
    pub type JsChannelRequest;
    #[wasm_bindgen(typescript_type = "ChannelPicture")]
    pub type JsChannelView;
    #[wasm_bindgen(typescript_type = "Partial<Options>[]")]
    pub type JsMethods;
    #[wasm_bindgen(typescript_type = "KernelView")]
    pub type JsKernelView;
    #[wasm_bindgen(typescript_type = "Study")]
    pub type JsStudy;
    #[wasm_bindgen(typescript_type = "ChannelSummary[]")]
    pub type JsChannels;
    #[wasm_bindgen(typescript_type = "FigureRequest")]
    pub type JsFigureRequest;
    #[wasm_bindgen(typescript_type = "HeatMapRequest")]
    pub type JsHeatMapRequest;
    #[wasm_bindgen(typescript_type = "LayersRequest")]
    pub type JsLayersRequest;
    #[wasm_bindgen(typescript_type = "QualityRequest")]
    pub type JsQualityRequest;
    #[wasm_bindgen(typescript_type = "(done: number) => void")]
    pub type JsProgress;
}
