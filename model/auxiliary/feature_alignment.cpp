#include "model/auxiliary/feature_alignment.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

// As metrics name them: letters, digits and '_'.
std::string term_name(const std::string& array) {
  std::string name = "align_" + array;
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain) c = '_';
  }
  return name;
}

}  // namespace

FeatureAlignmentConfig FeatureAlignmentConfig::resolved(const ModelConfig& model) const {
  FeatureAlignmentConfig config = *this;
  if (after == 0) config.after = model.early_block(4, 8);
  return config;
}

void FeatureAlignmentConfig::validate() const {
  require<UsageError>(!arrays.empty(), "align",
                      "align.with has features, and align.features.arrays names no array");
  for (auto array = arrays.begin(); array != arrays.end(); ++array) {
    require<UsageError>(std::find_if(arrays.begin(), array,
                                     [&](const FeatureArray& other) {
                                       return term_name(other.name) == term_name(array->name);
                                     }) == array,
                        "align", "align.features.arrays: '{}' is there twice", array->name);
    require<UsageError>(array->dims >= 1, "align",
                        "align.features.dims: nobody says how many numbers a token of '{}' has: "
                        "give them, or a data set",
                        array->name);
  }
}

std::vector<ArrayRequest> FeatureAlignmentConfig::requests(const ModelConfig& model) const {
  const TokenSite site = model.site_after(resolved(model).after, "align.features.after");
  std::vector<ArrayRequest> requests;
  for (const FeatureArray& array : arrays) {
    requests.push_back({array.name, {site.grid.tokens(), array.dims}});
  }
  return requests;
}

// The published mean over the arrays is a weight of each.
FeatureAlignment::FeatureAlignment(const FeatureAlignmentConfig& alignment,
                                   const ModelConfig& config, Model& model)
    : alignment_(alignment.resolved(config)), requests_(alignment_.requests(config)) {
  const TokenSite site = config.site_after(alignment_.after, "align.features.after");
  const ParameterList::Part part(model.parameters(), kPart);
  const auto count = static_cast<double>(alignment_.arrays.size());
  for (std::size_t i = 0; i < alignment_.arrays.size(); ++i) {
    const FeatureArray& array = alignment_.arrays[i];
    projectors_.push_back(
        MlpHead::make(model.parameters(), sequential_names(fmt::format("projectors.{}", i), 3),
                      {site.width, alignment_.projector, alignment_.projector, array.dims}));
    terms_.push_back({.name = term_name(array.name),
                      .weight = alignment_.course.weight / count,
                      .beside = true});
  }
}

void FeatureAlignment::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) {
  batch_ = batch;
  rows_ = alignment_.pass == CompanionPass::kBoth ? passes * batch : batch;
  weights_ = inputs.add({rows_}, DType::kFloat32);
  ones_ = inputs.add({rows_}, DType::kFloat32);
  for (const ArrayRequest& request : requests_) {
    targets_.push_back(inputs.add({rows_, request.shape[0], request.shape[1]}, DType::kFloat32));
  }
}

void FeatureAlignment::fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) {
  EDT_ASSERT(batch.arrays.size() == targets_.size());
  const auto factor = static_cast<float>(alignment_.course.factor(key.step));
  const auto weights = inputs.host<float>(weights_);
  for (std::size_t row = 0; row < weights.size(); ++row) {
    weights[row] = factor * batch.weights[row % batch.weights.size()];
  }
  std::ranges::fill(inputs.host<float>(ones_), 1.f);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const auto target = inputs.host<float>(targets_[i]);
    for (std::int64_t pass = 0; pass < rows_ / batch_; ++pass) {
      std::ranges::copy(
          batch.arrays[i],
          target.subspan(static_cast<std::size_t>(pass) * batch.arrays[i].size()).begin());
    }
  }
}

std::vector<Var> FeatureAlignment::operator()(Tape& tape, const StepView& step,
                                              const Tensor& losses) {
  const Var tokens = step.taps.tokens(tape, alignment_.after, rows_);
  std::vector<Var> means;
  for (std::size_t i = 0; i < projectors_.size(); ++i) {
    const TokenLossInputs inputs{tape.leaf(step.inputs.tensor(targets_[i])),
                                 step.inputs.tensor(ones_),
                                 step.inputs.tensor(weights_),
                                 {Distance::kDirection, requests_[i].shape[1]}};
    const auto term = static_cast<std::int64_t>(i);
    means.push_back(
        token_loss(tape, project(tape, i, tokens), inputs,
                   losses.slice(term, term + 1).reshaped({losses.shape[1]}).slice(0, rows_)));
  }
  return means;
}

}  // namespace edt
