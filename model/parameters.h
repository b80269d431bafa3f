// The parameters of a model under their published names, in one order that flat buffers and
// checkpoints share.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd/parameter.h"
#include "core/ops/token_grid.h"
#include "model/parts.h"
#include "model/positions.h"
#include "parallel/tensor/tensor_parallel.h"
#include "parallel/tensor/tensor_shard.h"

namespace edt {

// How a tensor starts. Xavier bounds are taken from the [N, K] view of the shape.
enum class Init {
  kZero,
  kOne,
  kXavierUniform,
  kNormal002,
  kTruncatedNormal002,
  kPositions,
  kUniform,        // within +-a bound of its own: add_drawn()
  kNormal,         // of a standard deviation of its own
  kMeanMagnitude,  // of a scale: of its weight's initial values
  kHalfToThree,    // uniform in [0.5, 3)
  kValue           // all alike, of a value of its own: add_drawn()
};

class ParameterList {
 public:
  ParameterList() = default;
  explicit ParameterList(TensorGroup ranks) : ranks_(ranks) {}

  // The ranks that hold the model together.
  const TensorGroup& tensor_ranks() const { return ranks_; }

  // `shape` is that of the published tensor; the parameter has the shape of this rank's part.
  // UsageError when the ranks cannot have equal parts.
  Parameter& add(std::string name, const Shape& shape, Init init, TensorCut cut = {});
  // Of Init::kUniform the bound, of Init::kNormal the standard deviation, of Init::kValue the value
  // is `extent`.
  Parameter& add_drawn(std::string name, const Shape& shape, Init init, double extent,
                       TensorCut cut = {});
  // Learnt positions [1, T, width] of a grid, which begin as sines and cosines.
  Parameter& add_positions(std::string name, const TokenGrid& grid, std::int64_t width,
                           PositionForm form = PositionForm::kGrid);

  // `weight` of this list is ternary from now on, with a scale [1] of that name.
  Parameter& make_ternary(Parameter& weight, std::string scale, Init init);

  // Parameters that are added while it lives belong to this part. Parts that only training uses
  // follow the network in the list: their gradients are the first that are final, and what the
  // network's place in flat buffers is does not change. Others stand where the network has them.
  class Part {
   public:
    Part(ParameterList& list, std::string_view name);
    ~Part() { list_.part_ = before_; }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

   private:
    ParameterList& list_;
    std::size_t before_;
  };
  // Of a parameter.
  const PartKind& part(std::size_t index) const { return kPartKinds[places_[index].part]; }

  // Addresses stay valid while the list grows.
  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  // Of each parameter: what part of the published tensor it is.
  const std::vector<TensorShard>& shards() const { return shards_; }
  // Of the whole model, and of this rank's share; of one part alone.
  std::int64_t elements() const;
  std::int64_t local_elements() const;
  std::int64_t elements_of(std::string_view part) const;

  // Fills `value` (float32, the parameter's elements) with the initial weights of parameter
  // `index`: this rank's share of what seed, part and place in the part alone determine.
  void initialize(std::size_t index, std::uint64_t seed, std::span<float> value) const;

 private:
  struct Place {
    std::size_t part;       // among kPartKinds
    std::uint32_t ordinal;  // in the part
  };
  std::uint32_t key(std::size_t index) const;
  // Of a scale: its weight.
  std::size_t weight_of(std::size_t scale) const;
  void draw(std::size_t index, std::uint64_t seed, std::span<float> value) const;

  TensorGroup ranks_;
  std::deque<Parameter> parameters_;
  std::vector<TensorShard> shards_;
  std::vector<Init> inits_;
  struct PositionTable {
    TokenGrid grid;
    PositionForm form = PositionForm::kGrid;
  };
  std::vector<PositionTable> tables_;
  std::vector<double> extents_;  // of add_drawn()
  std::vector<Place> places_;
  std::deque<Ternary> ternary_;
  std::array<std::uint32_t, kPartKinds.size()> counts_{};  // of parameters, by part
  std::size_t part_ = 0;                                   // that is being added to
};

}  // namespace edt
