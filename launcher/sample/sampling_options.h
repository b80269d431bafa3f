// How pictures are sampled from a checkpoint: the options that `edt sample` and `edt evaluate` have
// in common, and what is made of them.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "data/picture_decoder.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/sample/trained_data.h"
#include "launcher/sample/weights_type.h"
#include "model/families/model_options.h"
#include "model/plan/sampler_run.h"
#include "model/sampling/cache_options.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

// A checkpoint whose model guides another one.
struct GuideSource {
  TrainedWeights checkpoint;
  ModelConfig model;
  std::vector<std::string> remarks;  // what could not be compared with the model it guides
};

// What a checkpoint was trained as, and the model that samples.
struct SampleSource {
  TrainedWeights checkpoint;
  TrainConfig config;
  ModelConfig model;
  std::optional<GuideSource> guide;  // of autoguidance
};

// What is made of the gates of a network that has some.
enum class GatedSampling {
  kSkip,  // what they shut is left out
  kMask,  // it is computed, and multiplied with 0
  kOff    // they are all open
};

struct SamplingOptions {
  std::filesystem::path data;
  std::string weights = "ema";
  PictureRequest request;  // of it, all but labels and given noise
  int steps = 250;
  std::string spacing;
  std::filesystem::path guide;  // empty: the model guides itself
  std::string guided_channels = "auto";
  std::vector<double> guidance_interval{0, 1};
  CacheOptions cache;
  GatedSampling dynamic = GatedSampling::kSkip;
  VaeOptions vae;
  InferenceOptions inference;
  DType dtype = DType::kFloat32;
  WeightsTypeOptions weights_type;
  bool memory_check = true;

  void declare_source(OptionSet& options);   // weights, and what makes pictures of latents
  void declare_sampler(OptionSet& options);  // steps, guidance, seed

  // UsageError where they do not fit each other; what was given of `set`.
  void resolve(const OptionSet& set);
  // The run, checkpoint or file of packed weights at `path`, once it is known that its model can be
  // sampled so. UsageError where not.
  SampleSource open(const std::filesystem::path& path, const OptionSet& set) const;
  // Where no autoencoder is named, that of the run's sample grids, if it is still there; whether.
  bool take_decoder_of(const RunOptions& run);
  // Without its decoder.
  PlannedSampler planned(const SampleSource& run) const;
  // Of a sampler on each rank, with a decoder where one is named; `more` bytes beside them.
  void require_memory(const SampleSource& run, const Memory& memory, Communicator& world,
                      std::size_t more = 0) const;
  // Which is ready to sample: its weights are in the type that was asked for.
  std::unique_ptr<TrainedModel> load(const SampleSource& run, Backend& backend) const;
  // Null where the model guides itself. The first rank says what could not be compared.
  std::unique_ptr<TrainedModel> load_guide(const SampleSource& run, Backend& backend,
                                           Communicator& world) const;
  // What makes the pictures: the autoencoder that was asked for, if it is the right one, or what
  // the data set has.
  std::shared_ptr<const data::PictureDecoder> decoder(const TrainedModel& trained,
                                                      const TrainedData& data,
                                                      Backend& backend) const;
  std::string_view sampler_name(const Model& model) const;
  // All that samples depend on, by the names of docs/sampling.md. `guided_by`: as load_guide()
  // gives it.
  nlohmann::ordered_json facts(TrainedModel& trained, const TrainedModel* guided_by) const;

 private:
  void declare_solver(OptionSet& options);
  void declare_guidance(OptionSet& options);
  // Refuses what was said of gates where there are none, or opens them all.
  void apply_gates(const OptionSet& set, ModelConfig& model) const;
  GuideSource open_guide(const SampleSource& run, const OptionSet& set) const;
  std::unique_ptr<TrainedModel> load_model(const TrainedWeights& from, const ModelConfig& model,
                                           Backend& backend) const;
};

}  // namespace edt
