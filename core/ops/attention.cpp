#include "core/ops/attention.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_heads(const Var& qkv, std::int64_t heads, std::string_view name) {
  require(qkv.shape().rank() == 3 && heads > 0 && qkv.shape()[2] % (3 * heads) == 0, "attention",
          "{}: qkv is {}, which {} heads do not divide", name, to_string(qkv.shape()), heads);
}

void check_table(const Parameter& table, const TokenGrid& grid) {
  require(table.shape[0] >= grid.distances(), "attention",
          "{}: table is {}, {} tokens need {} rows", table.name, to_string(table.shape),
          to_string(grid), grid.distances());
}

// Recorded attention, with a bias or without, on all tokens or on the visible ones.
struct Attention {
  Parameter* table = nullptr;
  std::int64_t heads = 1;
  VisibleTokens visible;  // ids undefined: all tokens of its grid

  Tensor bias(Tape& tape) const { return table == nullptr ? Tensor{} : tape.read(*table); }

  void forward(Tape& tape, const Tensor& qkv, const Tensor& out, const Tensor& lse) const {
    Backend& backend = backend_of(tape);
    if (!visible.ids.defined())
      return backend.attention_forward(qkv, visible.grid, bias(tape), out, lse);
    backend.visible_attention_forward(qkv, visible, bias(tape), out, lse);
  }

  void backward(Tape& tape, const Tensor& dout, const Tensor& qkv, const Tensor& out,
                const Tensor& lse, const GradTarget& dqkv) const {
    Backend& backend = backend_of(tape);
    const Tensor read = bias(tape);
    const GradTarget dtable = table == nullptr ? GradTarget{} : tape.target(*table);
    if (!visible.ids.defined())
      return backend.attention_backward(dout, qkv, visible.grid, read, out, lse, dqkv, dtable);
    backend.visible_attention_backward(dout, qkv, visible, read, out, lse, dqkv, dtable);
  }

  Var operator()(Tape& tape, const Var& qkv) const;
};

// q k^T and p v: 2 T T D multiply-adds each sample.
double flops_of(const Var& qkv) {
  const Shape shape = qkv.shape();
  const std::int64_t width = shape[2] / 3;
  return 4.0 * static_cast<double>(shape[0] * shape[1] * shape[1] * width);
}

Var Attention::operator()(Tape& tape, const Var& qkv) const {
  const std::int64_t batch = qkv.shape()[0], tokens = qkv.shape()[1], width = qkv.shape()[2] / 3;
  const double flops = flops_of(qkv);
  Var out = tape.make({batch, tokens, width});
  Var lse = tape.recording() ? tape.make({batch, heads, tokens}, tape.accurate_dtype()) : Var{};
  {
    Profiler::Scope scope(tape.profiler(), "attention.forward", flops);
    forward(tape, by_head(qkv.tensor(), heads), out.tensor(), lse ? lse.tensor() : Tensor{});
  }
  tape.record("attention", out, {table},
              [call = *this, qkv, out, lse, flops](Tape& t, OutputGrad& dout) {
                Profiler::Scope scope(t.profiler(), "attention.backward", 2 * flops);
                GradTarget dqkv = t.target(qkv.grad());
                dqkv.tensor = by_head(dqkv.tensor, call.heads);
                call.backward(t, dout.tensor(), by_head(qkv.tensor(), call.heads), out.tensor(),
                              lse.tensor(), dqkv);
              });
  return out;
}

Var modulated_attention(Tape& tape, const Var& qkv, Parameter& table, const TokenGrid& grid,
                        const Tensor& modulation) {
  const std::int64_t tokens = qkv.shape()[1];
  check_shape("attention", "modulation matrix", modulation.shape, {tokens, tokens});
  require(!tape.recording(), "attention", "the modulation matrix is for inference: {}", table.name);
  Var out = tape.make({qkv.shape()[0], tokens, qkv.shape()[2] / 3});
  Profiler::Scope scope(tape.profiler(), "attention.modulated_forward", flops_of(qkv));
  backend_of(tape).attention_modulated_forward(by_head(qkv.tensor(), table.shape[1]), grid,
                                               tape.read(table), modulation, out.tensor());
  return out;
}

}  // namespace

Var attention(Tape& tape, const Var& qkv, Parameter& table, const TokenGrid& grid,
              const Tensor& modulation) {
  check_heads(qkv, table.shape[1], table.name);
  check_grid("attention", grid, qkv.shape()[1]);
  check_table(table, grid);
  if (modulation.defined()) return modulated_attention(tape, qkv, table, grid, modulation);
  return Attention{.table = &table, .heads = table.shape[1], .visible = {{}, {}, grid}}(tape, qkv);
}

Var visible_attention(Tape& tape, const Var& qkv, Parameter& table, const VisibleTokens& visible) {
  check_heads(qkv, table.shape[1], table.name);
  check_table(table, visible.grid);
  check_shape("attention", "visible tokens", visible.ids.shape, {qkv.shape()[0], qkv.shape()[1]});
  return Attention{.table = &table, .heads = table.shape[1], .visible = visible}(tape, qkv);
}

Var plain_attention(Tape& tape, const Var& qkv, std::int64_t heads) {
  check_heads(qkv, heads, "attention without bias");
  return Attention{.table = nullptr,
                   .heads = heads,
                   .visible = {{}, {}, covering_grid(qkv.shape()[1])}}(tape, qkv);
}

}  // namespace edt
