//! The one error type of the crate.

/// Everything that can go wrong, worded for the person at the page or the terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a PNG, JPEG or WebP image, or the file is damaged.
    #[error("cannot read this image: {0}. PNG, JPEG and WebP files are understood")]
    Image(String),
    /// The image's header announces more pixels than can be held.
    #[error("the image has {width} x {height} pixels, more than the {limit} million that can be opened")]
    ImageTooLarge {
        /// Columns announced.
        width: u32,
        /// Rows announced.
        height: u32,
        /// The limit, in millions of pixels.
        limit: u64,
    },
    /// The image, or the part of it that was chosen, is smaller than the operation needs.
    #[error("the image is too small: {0}")]
    ImageTooSmall(String),
    /// Two images that are to be compared have different sizes.
    #[error("sizes differ: {0}")]
    SizeMismatch(String),
    /// The bytes are not an ONNX network that this program can run.
    #[error("cannot use this network: {0}")]
    Network(String),
    /// The network has something that the native engine lacks, and must run there: it is asked for, or the program has no tract.
    #[error("cannot use this network: the native engine lacks {0}")]
    Lacking(String),
    /// A run would hold more than a program here can have.
    #[error(
        "a picture of {width} x {height} pixels takes {megabytes} MB, more than can be had here; choose a smaller part of it"
    )]
    Memory {
        /// Columns of the network's input.
        width: usize,
        /// Its rows.
        height: usize,
        /// What it would take.
        megabytes: u64,
    },
    /// A layer's input or weights hold NaN or infinity.
    #[error("layer {layer}, channel {channel}: a value is NaN or infinite")]
    NonFinite {
        /// The convolution's name.
        layer: String,
        /// Index of the channel.
        channel: usize,
    },
    /// An option has a value outside its range.
    #[error("{0}")]
    Option(String),
    /// The calibration file is damaged, or was made for another network or other settings.
    #[error("cannot use this calibration: {0}")]
    Calibration(String),
    /// The file of optimized layers is damaged, or was made for another network or other settings.
    #[error("cannot use these optimized layers: {0}")]
    Optimized(String),
    /// The method needs calibration and none is loaded.
    #[error("{0} needs a calibration: load one, or calibrate on images first")]
    NotCalibrated(&'static str),
    /// `dfsq-opt` has nothing for these bit widths.
    #[error("the network has not been optimized for {0}")]
    NotOptimized(String),
    /// A figure could not be drawn.
    #[error("cannot draw the figure: {0}")]
    Figure(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of error it is, for programs to switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// [`Error::Image`].
    Image,
    /// [`Error::ImageTooLarge`].
    ImageTooLarge,
    /// [`Error::ImageTooSmall`].
    ImageTooSmall,
    /// [`Error::SizeMismatch`].
    SizeMismatch,
    /// [`Error::Network`].
    Network,
    /// [`Error::Lacking`].
    Lacking,
    /// [`Error::Memory`].
    Memory,
    /// [`Error::NonFinite`].
    NonFinite,
    /// [`Error::Option`].
    Option,
    /// [`Error::Calibration`].
    Calibration,
    /// [`Error::Optimized`].
    Optimized,
    /// [`Error::NotCalibrated`].
    NotCalibrated,
    /// [`Error::NotOptimized`].
    NotOptimized,
    /// [`Error::Figure`].
    Figure,
    /// [`Error::Cancelled`].
    Cancelled,
}

impl ErrorKind {
    /// A stable word, which is the `name` of errors in JavaScript.
    pub fn id(self) -> &'static str {
        match self {
            ErrorKind::Image => "image",
            ErrorKind::ImageTooLarge => "image-too-large",
            ErrorKind::ImageTooSmall => "image-too-small",
            ErrorKind::SizeMismatch => "size-mismatch",
            ErrorKind::Network => "network",
            ErrorKind::Lacking => "lacking",
            ErrorKind::Memory => "memory",
            ErrorKind::NonFinite => "non-finite",
            ErrorKind::Option => "option",
            ErrorKind::Calibration => "calibration",
            ErrorKind::Optimized => "optimized",
            ErrorKind::NotCalibrated => "not-calibrated",
            ErrorKind::NotOptimized => "not-optimized",
            ErrorKind::Figure => "figure",
            ErrorKind::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Image(_) => ErrorKind::Image,
            Error::ImageTooLarge { .. } => ErrorKind::ImageTooLarge,
            Error::ImageTooSmall(_) => ErrorKind::ImageTooSmall,
            Error::SizeMismatch(_) => ErrorKind::SizeMismatch,
            Error::Network(_) => ErrorKind::Network,
            Error::Lacking(_) => ErrorKind::Lacking,
            Error::Memory { .. } => ErrorKind::Memory,
            Error::NonFinite { .. } => ErrorKind::NonFinite,
            Error::Option(_) => ErrorKind::Option,
            Error::Calibration(_) => ErrorKind::Calibration,
            Error::Optimized(_) => ErrorKind::Optimized,
            Error::NotCalibrated(_) => ErrorKind::NotCalibrated,
            Error::NotOptimized(_) => ErrorKind::NotOptimized,
            Error::Figure(_) => ErrorKind::Figure,
            Error::Cancelled => ErrorKind::Cancelled,
        }
    }
}
