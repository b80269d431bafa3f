// Samples of a model, made and looked at in one go by all ranks: what travels are features, and no
// picture is ever kept. A picture is the same whoever makes it, and so are its features.
#pragma once

#include <memory>
#include <vector>

#include "data/picture_decoder.h"
#include "launcher/evaluate/feature_set.h"
#include "model/evaluation/inception.h"
#include "model/sampling/sample_over_ranks.h"

namespace edt {

// How labels are drawn: that alone moves a distance. Published figures have them at random.
enum class LabelOrder : std::uint8_t { kRandom, kInTurn };
std::string_view name_of(LabelOrder order);  // "random", "in-turn"
// Which sample's text goes with a picture: samples in an order that the seed draws, again from the
// first after the last.
std::function<std::uint64_t(std::int64_t picture)> drawn_samples(std::uint64_t samples,
                                                                 std::uint64_t seed);

std::vector<std::int32_t> drawn_labels(std::int64_t count, std::int64_t classes, LabelOrder order,
                                       std::uint64_t seed);

// What looks at samples: Inception, at their pictures, or nobody, and their latents count.
struct SampleEye {
  LatentFeatures latents;
  std::shared_ptr<const data::PictureDecoder> decoder;
  Inception* network = nullptr;  // none: the latents count
  InceptionResize resize = InceptionResize::kAdm;

  bool sees_pictures() const { return network != nullptr; }
};

struct SeenSamples {
  FeatureSet set;
  std::vector<float> logits;    // of Inception
  std::int64_t not_finite = 0;  // left out
};

// All ranks call it, as sample_over_ranks(). On the first one all samples, the features of all of
// them kept; elsewhere nothing. `looks`: whether this rank's latents count, which they do not on
// tensor ranks but one. With fewer than two samples that are finite the set is empty.
SeenSamples see_samples(PictureSampler& sampler, const PictureRequest& request,
                        const SampleEye& eye, Communicator& ranks, bool looks = true,
                        const StepDone& step_done = {});

}  // namespace edt
