// The configuration of any model: what runs, checkpoints, benchmarks and plans know of it.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/dit/config.h"
#include "model/edt/config.h"
#include "model/mdtv2/config.h"
#include "model/model.h"

namespace edt {

class ModelConfig {
 public:
  using Any = std::variant<EdtConfig, Mdtv2Config, DitConfig>;

  // NOLINTNEXTLINE(google-explicit-constructor): every model's configuration is one
  ModelConfig(Any config) : any_(std::move(config)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  ModelConfig(EdtConfig config) : any_(std::move(config)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  ModelConfig(Mdtv2Config config) : any_(std::move(config)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  ModelConfig(DitConfig config) : any_(std::move(config)) {}

  // The configuration where it is of that type, else nullptr.
  template <class C>
  const C* as() const {
    return std::get_if<C>(&any_);
  }
  template <class C>
  C* as() {
    return std::get_if<C>(&any_);
  }
  const Any& any() const { return any_; }

  const CommonConfig& common() const;
  CommonConfig& common();
  const std::string& name() const { return common().name; }
  std::int64_t patch() const { return common().patch; }
  std::int64_t channels() const { return common().channels; }
  std::int64_t input_size() const { return common().input_size; }
  std::int64_t classes() const { return common().classes; }

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  // The same for pictures of so many pixels a side, of which input_size follows.
  void check_image_size(std::int64_t pixels) const;

  // Numbers of tensor ranks that the model can be cut into.
  std::vector<int> tensor_degrees() const;

  // Where a masked pass drops tokens: always the mean of its ratios.
  void fix_mask_ratio();

  bool has_masked_pass() const;
  // Blocks that use the attention modulation matrix when sampling; empty for models without one.
  std::vector<std::int64_t> amm_blocks() const;

 private:
  Any any_;
};

// The model, or the part of it that one of several tensor `ranks` holds; fixed tables lie on
// `device` in `dtype`, the type of activations.
std::unique_ptr<Model> make_model(const ModelConfig& config, Device& device, DType dtype,
                                  TensorGroup ranks = {});

}  // namespace edt
