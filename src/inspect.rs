//! Looking into a run: a layer's input as it came upon it, one channel of it with what each method makes of it, one kernel, and
//! the ways to choose points, in numbers and as figures.

mod channel;
mod engines;
#[cfg(feature = "figures")]
mod figure;
mod held;
mod kernel;
mod study;

pub use channel::{ChannelRequest, ChannelView, MethodView, PointView};
pub use engines::{EngineCheck, check_engines};
#[cfg(feature = "figures")]
pub use figure::{FigureKind, FigureRequest, HistogramChoice, SampleName};
pub use held::HeldInputs;
pub use kernel::KernelView;
pub use study::{Choice, Study};
