// What trainer and sampler need of a diffusion transformer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/autograd/tape.h"
#include "core/ops/tokens.h"
#include "model/config.h"
#include "model/diffusion/process.h"
#include "model/hooks.h"
#include "model/parameters.h"
#include "model/unit_masks.h"

namespace edt {

// Texts as features of their tokens.
struct TextInputs {
  Tensor features;  // [B, L, channels] float32, zeros behind the last token
  Tensor lengths;   // [B] int32

  TextInputs first(std::int64_t rows) const {
    if (!features.defined()) return {};
    return {features.slice(0, rows), lengths.slice(0, rows)};
  }
};

// One micro-batch of inputs; images and timesteps are accurate_dtype of the tape.
struct ModelInputs {
  Tensor image;   // [B, C, S, S]
  Tensor t;       // [B], what Process::told() says
  Tensor labels;  // [B] int32, the number of classes stands for "no class"
  PassHooks hooks = {};
  TextInputs text = {};  // of a network that reads texts
  Tensor frames = {};    // [B, tokens, channels] float32, of one that reads them
};

// A token mask of the masked training pass. One ratio is drawn from [low, high) per batch, and each
// token is masked with that probability.
struct MaskSpec {
  std::string name;
  std::int64_t tokens = 0;
  float low = 0, high = 0;

  // Tokens of a sample that are left where this share is dropped.
  std::int64_t visible(float ratio) const {
    return static_cast<std::int64_t>(static_cast<float>(tokens) * (1.0f - ratio));
  }
};

// A fixed (untrained) tensor of the published files, e.g. a position table.
struct FixedTable {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

// What the masked pass leaves out: tokens that are zeroed in place, or that are dropped.
struct PassMasks {
  std::vector<Tensor> keep;  // of Model::masks(), each [rows of both passes, tokens], 1 keeps
  VisibleTokens visible;     // of Model::dropping(), for the rows of the masked pass
};

// What runs twice to save memory: nothing, what lies between the products of MLPs, MLPs, blocks.
enum class Recompute { kLeast, kNone, kSelective, kFull };

class Model {
 public:
  // Several `ranks` hold the parts of one model.
  Model(const CommonConfig& config, TensorGroup ranks)
      : parameters_(ranks), common_(config), process_(config.process) {}
  virtual ~Model() = default;

  ParameterList& parameters() { return parameters_; }
  const ParameterList& parameters() const { return parameters_; }

  const std::string& name() const { return common_.name; }
  std::int64_t patch() const { return common_.patch; }
  const LatentShape& latents() const { return common_.latents; }
  TokenGrid patches() const { return common_.patches(); }
  std::int64_t classes() const { return common_.classes; }
  const Process& process() const { return process_; }
  float label_dropout() const { return common_.label_dropout; }
  const TextConfig& text() const { return common_.text; }
  std::int64_t frame_channels() const { return common_.frame_channels; }
  // What it reads of each sample beside its latent.
  std::vector<ArrayRequest> arrays() const { return common_.arrays(); }

  // What the masked pass of training does with tokens. Either it zeroes some, by these masks; or it
  // drops some, a ratio of this range; or there is no masked pass.
  const std::vector<MaskSpec>& masks() const { return masks_; }
  const std::optional<MaskSpec>& dropping() const { return dropping_; }
  bool has_masked_pass() const { return !masks_.empty() || dropping_.has_value(); }

  const std::vector<FixedTable>& fixed_tables() const { return fixed_tables_; }

  // All tokens. Returns tokens [B, T, p*p*Process::out_channels(C)] in (row, column, channel)
  // order.
  virtual Var forward(Tape& tape, const ModelInputs& inputs) = 0;
  // Both passes of a training step at once: the first half of the rows is the full pass, the second
  // half the masked one. With inputs for half of the rows both passes see the same. Parameters are
  // used block by block for both passes, so that each is gathered and reduced once.
  virtual Var forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks);

  // Tokens in groups that do not see each other: each picture is there once for each group, and of
  // it the tokens that the group keeps. `inputs` has the rows of all groups, group by group.
  // Returns the tokens [B, K of the group, ...] of each.
  virtual std::vector<Var> forward_groups(Tape& tape, const ModelInputs& inputs,
                                          std::span<const VisibleTokens> groups);

  virtual void set_recompute(Recompute recompute) = 0;

  // While it is being pruned; else nullptr.
  UnitMasks* unit_masks() { return unit_masks_.get(); }

 protected:
  // Before blocks are made: they get masks, where the configuration has any.
  void begin_masks(Device& device);
  // A table on `device`, held as long as the model.
  Tensor constant(Device& device, const std::vector<float>& values, const Shape& shape,
                  DType dtype);

  ParameterList parameters_;
  std::vector<MaskSpec> masks_;
  std::optional<MaskSpec> dropping_;
  std::vector<FixedTable> fixed_tables_;

 private:
  std::vector<Block> memory_;
  std::unique_ptr<UnitMasks> unit_masks_;
  CommonConfig common_;
  Process process_;
};

}  // namespace edt
