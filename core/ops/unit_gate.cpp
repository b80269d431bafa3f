#include "core/ops/unit_gate.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var unit_gate(Tape& tape, const Var& logits, const GateNoise& noise, std::int64_t lead,
              std::int64_t rows) {
  const std::int64_t batch = logits.shape()[0], units = logits.shape().elements() / batch;
  require(lead >= 0 && rows >= batch, "unit_gate", "{} rows with {} open gates of logits {}", rows,
          lead, to_string(logits.shape()));
  if (noise.draws.defined()) {
    require(noise.draws.shape.rank() == 2 && noise.draws.shape[0] == batch && noise.first >= 0 &&
                noise.first + units <= noise.draws.shape[1] && noise.tau > 0,
            "unit_gate", "draws are {}, of which columns from {} on are for logits {}",
            to_string(noise.draws.shape), noise.first, to_string(logits.shape()));
  }
  Var gates = tape.make({rows, lead + units}, tape.accurate_dtype());
  const auto matrix = [batch, units](const Tensor& of) { return of.reshaped({batch, units}); };
  {
    Profiler::Scope scope(tape.profiler(), "unit_gate.forward");
    backend_of(tape).unit_gate_forward(matrix(logits.tensor()), noise.draws, noise.first,
                                       gates.tensor());
  }
  tape.record("unit_gate", gates, {}, [logits, noise, matrix](Tape& t, OutputGrad& dgates) {
    GradTarget to = t.target(logits.grad());
    if (!to.wanted()) return;
    to.tensor = matrix(to.tensor);
    Profiler::Scope scope(t.profiler(), "unit_gate.backward");
    backend_of(t).unit_gate_backward(dgates.tensor(), matrix(logits.tensor()), noise.draws,
                                     noise.first, noise.tau, to);
  });
  return gates;
}

Var unit_share(Tape& tape, std::span<const GatedBlock> blocks, std::int64_t batch) {
  Var share = tape.make({batch}, tape.accurate_dtype());
  tape.device().zero(share.tensor());
  {
    Profiler::Scope scope(tape.profiler(), "unit_share.forward");
    for (const GatedBlock& block : blocks) {
      require(block.heads.shape()[0] >= batch && block.hidden.shape()[0] >= batch &&
                  block.tokens.shape()[0] >= batch,
              "unit_share", "gates of fewer than {} samples", batch);
      backend_of(tape).unit_share_forward(block.heads.tensor(), block.hidden.tensor(),
                                          block.tokens.tensor(), block.attention, block.mlp,
                                          share.tensor());
    }
  }
  const std::vector<GatedBlock> kept(blocks.begin(), blocks.end());
  tape.record("unit_share", share, {}, [kept](Tape& t, OutputGrad& dshare) {
    Profiler::Scope scope(t.profiler(), "unit_share.backward");
    for (const GatedBlock& block : kept) {
      backend_of(t).unit_share_backward(
          dshare.tensor(), block.heads.tensor(), block.hidden.tensor(), block.tokens.tensor(),
          block.attention, block.mlp, t.target(block.heads.grad()), t.target(block.hidden.grad()),
          t.target(block.tokens.grad()));
    }
  });
  return share;
}

Var share_penalty(Tape& tape, const Var& share, const Tensor& target, const Tensor& losses) {
  check_shape("share_penalty", "target", target.shape, {1});
  check_shape("share_penalty", "losses", losses.shape, share.shape());
  Var penalty = tape.make({1}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "share_penalty.forward");
    backend_of(tape).share_penalty_forward(share.tensor(), target, losses, penalty.tensor());
  }
  tape.record("share_penalty", penalty, {}, [share, target](Tape& t, OutputGrad& dpenalty) {
    Profiler::Scope scope(t.profiler(), "share_penalty.backward");
    backend_of(t).share_penalty_backward(dpenalty.tensor(), share.tensor(), target,
                                         t.target(share.grad()));
  });
  return penalty;
}

}  // namespace edt
