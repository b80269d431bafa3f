// What trainer and sampler need of a diffusion transformer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/autograd/tape.h"
#include "model/config.h"
#include "model/parameters.h"

namespace edt {

// One micro-batch of inputs; images and timesteps are accurate_dtype of the tape.
struct ModelInputs {
  Tensor image;   // [B, C, S, S]
  Tensor t;       // [B], original timesteps
  Tensor labels;  // [B] int32, the number of classes stands for "no class"
};

// A token mask of the masked training pass. One ratio is drawn from [low, high) per batch, and each
// token is masked with that probability.
struct MaskSpec {
  std::string name;
  std::int64_t tokens = 0;
  float low = 0, high = 0;
};

// A fixed (untrained) tensor of the published files, e.g. a position table.
struct FixedTable {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

// The forward pass up to the point where the first mask would strike.
struct ForwardState {
  Var x;
  Var condition;
  std::vector<Var> skips;
};

enum class Recompute { kNone, kSelective, kFull };

class Model {
 public:
  // Several `ranks` hold the parts of one model.
  Model(const CommonConfig& config, TensorGroup ranks) : parameters_(ranks), common_(config) {}
  virtual ~Model() = default;

  ParameterList& parameters() { return parameters_; }
  const ParameterList& parameters() const { return parameters_; }

  const std::string& name() const { return common_.name; }
  std::int64_t patch() const { return common_.patch; }
  std::int64_t channels() const { return common_.channels; }
  std::int64_t input_size() const { return common_.input_size; }
  std::int64_t classes() const { return common_.classes; }
  float label_dropout() const { return common_.label_dropout; }

  // Masks of the masked pass, in the order finish() expects them; empty: no masked pass.
  virtual const std::vector<MaskSpec>& masks() const = 0;
  virtual const std::vector<FixedTable>& fixed_tables() const = 0;

  // forward = finish(begin()). With masks [B, tokens] (1 keeps) finish() is the masked pass; both
  // passes may share one begin(). Returns tokens [B, T, p*p*2C] in (row, column, channel) order.
  virtual ForwardState begin(Tape& tape, const ModelInputs& inputs) = 0;
  virtual Var finish(Tape& tape, const ForwardState& state, const std::vector<Tensor>& masks) = 0;

  Var forward(Tape& tape, const ModelInputs& inputs, const std::vector<Tensor>& masks = {}) {
    return finish(tape, begin(tape, inputs), masks);
  }

  virtual void set_recompute(Recompute recompute) = 0;

  // Blocks whose attention is multiplied by the modulation matrix when sampling. UsageError where
  // a model has none.
  virtual void set_amm_blocks(const std::vector<std::int64_t>& blocks);

 protected:
  ParameterList parameters_;

 private:
  CommonConfig common_;
};

}  // namespace edt
