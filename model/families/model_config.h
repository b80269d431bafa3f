// The configuration of any model: what runs, checkpoints, benchmarks and plans know of it.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/families/families.h"

namespace edt {

class ModelConfig {
 public:
  using Any = AnyModelConfig;

  // NOLINTNEXTLINE(google-explicit-constructor): every family's configuration is one
  template <class Config>
  requires std::derived_from<Config, CommonConfig> ModelConfig(Config config)
      : any_(std::move(config)) {}

  // The configuration where it is of that type, else nullptr. For reports about one family; what
  // holds for any asks for its capabilities.
  template <class C>
  const C* as() const {
    return std::get_if<C>(&any_);
  }
  template <class C>
  C* as() {
    return std::get_if<C>(&any_);
  }
  const Any& any() const { return any_; }
  Any& any() { return any_; }

  std::string_view family() const;
  const CommonConfig& common() const;
  CommonConfig& common();
  const std::string& name() const { return common().name; }
  std::int64_t patch() const { return common().patch; }
  const LatentShape& latents() const { return common().latents; }
  std::int64_t classes() const { return common().classes; }

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;

  // Of what the sides of the latents are multiples.
  GridStep grid_step() const;
  // Numbers of tensor ranks that the model can be cut into.
  std::vector<int> tensor_degrees() const;
  PassKinds passes() const;
  // In the order of computing, and where the tokens stand that the one gives which is `after`,
  // counted from 1. `option` says so: UsageError where there is no such block.
  std::int64_t blocks() const;
  TokenSite site_after(std::int64_t after, std::string_view option) const;
  // The units of a block counted from 0, where the family's blocks may lose some; else nothing.
  std::optional<BlockUnits> units_of(std::int64_t block) const;
  // The last blocks of all stages; of equal blocks, of `parts` that are as long as each other.
  std::vector<std::int64_t> stage_ends(std::int64_t parts) const;
  // The block whose tokens are early ones: the last of the second stage, where there are stages;
  // else of the first of three groups; else `of_few`, or `of_many` of 24 blocks or more.
  std::int64_t early_block(std::int64_t of_few, std::int64_t of_many) const;
  // What files of samples say of how the model computed, beside its name: numbers by name.
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> sampling_facts() const;

  // Where a masked pass drops tokens: always the mean of its ratios.
  void fix_mask_ratio();

  bool operator==(const ModelConfig&) const = default;

 private:
  Any any_;
};

// The model, or the part of it that one of several tensor `ranks` holds; fixed tables lie on
// `device` in `dtype`, the type of activations.
std::unique_ptr<Model> make_model(const ModelConfig& config, Device& device, DType dtype,
                                  TensorGroup ranks = {}, ModelUse use = ModelUse::kTraining);

}  // namespace edt
