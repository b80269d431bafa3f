#include "model/diffusion/process_options.h"

#include "core/options/options.h"

namespace edt {

void ProcessOptions::declare(OptionSet& options, const ProcessPresets& presets) {
  declared = true;
  options.section("process", "Process: how data become noise, and what the network says of it");
  options
      .add("process.kind", &config.kind,
           {{"ddpm", ProcessKind::kDdpm}, {"flow", ProcessKind::kFlow}},
           "1000 steps of linear betas, or a flow at any time")
      .alias("process")
      .follows("model.preset", presets.flow, "flow");
  options
      .add("process.prediction", &config.prediction,
           {{"noise", PredictionType::kNoise},
            {"x0", PredictionType::kOrigin},
            {"velocity", PredictionType::kVelocity}},
           "what the network gives: the noise, the data, or how the one becomes the other")
      .follows("process.kind", {"flow"}, "velocity");
  options
      .add("process.variance", &config.learnt_variance, {{"learnt", true}, {"none", false}},
           "whether the network also places the variance of a step between its bounds")
      .used_when("process.kind", {"ddpm"})
      .used_when("process.prediction", {"noise"});
  options
      .add("process.path", &config.path,
           {{"linear", FlowPath::kLinear}, {"cosine", FlowPath::kCosine}},
           "from data to noise: straight, or along a quarter of a circle (GVP)")
      .used_when("process.kind", {"flow"});
  options
      .add("process.told", &config.told, {{"data", Told::kData}, {"noise", Told::kNoise}},
           "which end is 1 in the times that the network is told, and the end that its velocity "
           "points to: data as SiT and LightningDiT, noise as REPA")
      .follows("model.preset", presets.told_noise, "noise")
      .used_when("process.kind", {"flow"});
  options
      .add("process.told-scale", &config.told_scale,
           "the time that the network is told at that end")
      .above(0)
      .single_precision()
      .follows("model.preset", presets.told_noise, std::to_string(kNoisyEnd))
      .used_when("process.kind", {"flow"});
}

}  // namespace edt
