#include "model/blocks/narrow_blocks.h"

#include <algorithm>

#include "model/blocks/modules.h"

namespace edt {
namespace {

// Tokens that go through an MLP at once are a part of all that there may be: few shapes, and little
// that is computed for nothing.
constexpr std::int64_t kParts = 8, kLeastTokens = 64;

std::int64_t tokens_at_once(std::int64_t all) {
  return std::min(all, std::max(kLeastTokens, (all + kParts - 1) / kParts));
}

double share_of(const std::vector<bool>& on) {
  return static_cast<double>(std::ranges::count(on, true)) / static_cast<double>(on.size());
}

// Neighbouring units that are on: bytes of a row of units, and where they go.
struct Run {
  std::size_t from = 0, to = 0, bytes = 0;
};

std::vector<Run> runs_of(const std::vector<bool>& on, std::size_t unit) {
  std::vector<Run> runs;
  std::size_t to = 0;
  for (std::size_t i = 0; i < on.size(); ++i) {
    if (!on[i]) continue;
    if (i == 0 || !on[i - 1]) runs.push_back({i * unit, to, 0});
    runs.back().bytes += unit;
    to += unit;
  }
  return runs;
}

// The units that are on in each of `rows` rows of units, which have `bytes` together. By all
// threads: where gates change from step to step, one alone takes a tenth of a step of few pictures.
void copy_units(const std::byte* from, const std::vector<bool>& on, std::int64_t rows,
                std::size_t bytes, std::byte* to) {
  const std::size_t row = bytes / static_cast<std::size_t>(rows), unit = row / on.size(),
                    left = unit * static_cast<std::size_t>(std::ranges::count(on, true));
  const std::vector<Run> runs = runs_of(on, unit);
  const auto each = static_cast<std::int64_t>(runs.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < rows * each; ++i) {
    const Run& run = runs[static_cast<std::size_t>(i % each)];
    const auto at = static_cast<std::size_t>(i / each);
    std::copy_n(from + at * row + run.from, run.bytes, to + at * left + run.to);
  }
}

}  // namespace

// Memory for the whole of each parameter is taken once, and filled anew where other units are on.
struct NarrowBlocks::Kept {
  struct Cut {
    Block memory;
    Parameter parameter;
  };
  std::vector<bool> heads, hidden;  // of which `block` is; empty: of none yet
  TransformerBlock block;
  std::map<const Parameter*, Cut> cuts;
};

NarrowBlocks::NarrowBlocks(Backend& backend) : backend_(backend) {}
NarrowBlocks::~NarrowBlocks() = default;

void NarrowBlocks::forget_blocks() { kept_.clear(); }

std::vector<bool> NarrowBlocks::open_units(const Var& gates) {
  const Tensor tensor = gates.tensor();
  gates_.resize(static_cast<std::size_t>(tensor.elements()));
  backend_.download(tensor, gates_.data());
  const auto units = static_cast<std::size_t>(tensor.shape[1]);
  for (std::size_t i = units; i < gates_.size(); ++i) {
    require(gates_[i] == gates_[i - units], "gates",
            "rows of different times are sampled together");
  }
  std::vector<bool> on(units);
  std::transform(gates_.begin(), gates_.begin() + static_cast<std::ptrdiff_t>(units), on.begin(),
                 [](float gate) { return gate > 0; });
  return on;
}

const TransformerBlock& NarrowBlocks::block(std::int64_t number, const TransformerBlock& whole,
                                            const UnitFactors& open) {
  std::vector<bool> heads = open_units(open.heads), hidden = open_units(open.hidden);
  of_block_ = whole.gates->costs;
  on_hidden_ = share_of(hidden);
  const auto rows = static_cast<double>(open.heads.shape()[0]);
  computed_ += rows * of_block_.attention * share_of(heads);
  whole_ += rows * (of_block_.attention + of_block_.mlp);
  std::unique_ptr<Kept>& kept = kept_[number];
  if (kept == nullptr) {
    kept = std::make_unique<Kept>();
    kept->block = whole;
  }
  if (kept->heads != heads) {
    kept->heads = std::move(heads);
    cut_attention(whole, *kept);
  }
  if (kept->hidden != hidden) {
    kept->hidden = std::move(hidden);
    cut_mlp(whole, *kept);
  }
  return kept->block;
}

// Queries, keys and values are three chunks of heads.
void NarrowBlocks::cut_attention(const TransformerBlock& whole, Kept& kept) {
  TransformerBlock& made = kept.block;
  made.heads = std::ranges::count(kept.heads, true);
  made.qkv = {cut_parameter(kept, *whole.qkv.weight, Axis::kRows, kept.heads, 3),
              cut_parameter(kept, *whole.qkv.bias, Axis::kRows, kept.heads, 3)};
  made.projection.weight =
      cut_parameter(kept, *whole.projection.weight, Axis::kColumns, kept.heads, 1);
  if (whole.bias_table == nullptr) return;
  made.bias_table = cut_parameter(kept, *whole.bias_table, Axis::kColumns, kept.heads, 1);
}

// Of SwiGLU gates and values are two chunks of groups.
void NarrowBlocks::cut_mlp(const TransformerBlock& whole, Kept& kept) {
  const std::int64_t chunks = whole.mlp.form == MlpForm::kSwiglu ? 2 : 1;
  FeedForward& made = kept.block.mlp;
  made.in = {cut_parameter(kept, *whole.mlp.in.weight, Axis::kRows, kept.hidden, chunks),
             cut_parameter(kept, *whole.mlp.in.bias, Axis::kRows, kept.hidden, chunks)};
  made.out.weight = cut_parameter(kept, *whole.mlp.out.weight, Axis::kColumns, kept.hidden, 1);
}

// Of units that are all on it is the parameter itself.
Parameter* NarrowBlocks::cut_parameter(Kept& kept, Parameter& whole, Axis axis,
                                       const std::vector<bool>& on, std::int64_t chunks) {
  if (std::ranges::count(on, false) == 0) return &whole;
  const Tensor from = whole.value;
  const bool by_rows = axis == Axis::kRows;
  const auto units = static_cast<std::int64_t>(on.size());
  const std::int64_t rows = from.shape[0], columns = from.elements() / rows;
  const std::int64_t cut_axis = by_rows ? rows : columns;
  const std::int64_t size = cut_axis / units * std::ranges::count(on, true);
  Kept::Cut& cut = kept.cuts[&whole];
  if (cut.memory.data() == nullptr) cut.memory = Block(backend_.memory(), from.bytes());
  Parameter& made = cut.parameter;
  made.name = whole.name;
  made.shape = !by_rows                 ? Shape{rows, size}
               : from.shape.rank() == 1 ? Shape{size}
                                        : Shape{size, columns};
  made.value = {nullptr, made.shape, from.dtype};
  made.value.data = cut.memory.data();
  // By way of host memory where the device has its own.
  const bool here = backend_.in_host_memory();
  std::vector<std::byte> given(here ? 0 : from.bytes()), left(here ? 0 : made.value.bytes());
  if (!here) backend_.download(from, given.data());
  copy_units(here ? static_cast<const std::byte*>(from.data) : given.data(), on,
             by_rows ? chunks : rows, from.bytes(),
             here ? static_cast<std::byte*>(made.value.data) : left.data());
  if (!here) backend_.upload(left.data(), made.value);
  return &made;
}

Var NarrowBlocks::mlp_of(Tape& tape, const FeedForward& mlp, const Var& x, const Var& open) {
  const Shape shape = x.shape();
  const std::int64_t all = shape[0] * shape[1], width = shape[2], step = tokens_at_once(all);
  gates_.resize(static_cast<std::size_t>(all));
  backend_.download(open.tensor(), gates_.data());
  std::vector<std::int32_t> ids, places(gates_.size(), -1);
  for (std::size_t i = 0; i < gates_.size(); ++i) {
    if (gates_[i] == 0) continue;
    places[i] = static_cast<std::int32_t>(ids.size());
    ids.push_back(static_cast<std::int32_t>(i));
  }
  const auto kept = static_cast<std::int64_t>(ids.size());
  computed_ += static_cast<double>(shape[0]) * of_block_.mlp * on_hidden_ *
               static_cast<double>(kept) / static_cast<double>(all);
  Var result = tape.make(shape);
  if (kept == 0) {
    backend_.zero(result.tensor());
    return result;
  }
  // Room for all tokens, so that memory does not hang on how many there are.
  const std::int64_t steps = (kept + step - 1) / step, most = (all + step - 1) / step;
  ids.resize(static_cast<std::size_t>(steps * step), 0);
  const Var chosen = tape.make({most, step}, DType::kInt32),
            there = tape.make({1, all}, DType::kInt32), taken = tape.make({most, step, width}),
            nothing = tape.make({width});
  const VisibleTokens visible{
      chosen.tensor().slice(0, steps).reshaped({1, steps * step}), there.tensor(), {}};
  backend_.upload(ids.data(), visible.ids);
  backend_.upload(places.data(), visible.places);
  backend_.zero(nothing.tensor());
  const Tensor rows = taken.tensor().slice(0, steps).reshaped({1, steps * step, width});
  const Shape in_one{1, all, width};
  backend_.gather_tokens_forward(x.tensor().reshaped(in_one), visible, rows);
  for (std::int64_t i = 0; i < steps; ++i) {
    const Var part = tape.view(taken, taken.tensor().slice(i, i + 1));
    const Var given = mlp.enter(tape, part, KeepActivated::kNo);
    backend_.copy(given.tensor(), part.tensor());
  }
  backend_.restore_tokens_forward(rows, visible, nothing.tensor(),
                                  result.tensor().reshaped(in_one));
  return result;
}

}  // namespace edt
