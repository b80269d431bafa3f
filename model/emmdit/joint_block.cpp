#include "model/emmdit/joint_block.h"

#include <cmath>

#include "core/ops/affine_norm.h"
#include "core/ops/stacked_linear.h"

namespace edt {
namespace {

// Chunks of a modulation, as published.
constexpr ModulationChunks kAttentionChunks{0, 1}, kMlpChunks{3, 4};
constexpr int kAttentionGate = 2, kMlpGate = 5;

constexpr JointStream::Names kImageNames{.norm = ".norm1",
                                         .query = ".attn.to_q",
                                         .key = ".attn.to_k",
                                         .value = ".attn.to_v",
                                         .query_norm = ".attn.norm_q",
                                         .key_norm = ".attn.norm_k",
                                         .out = ".attn.to_out.0",
                                         .mlp = ".ff",
                                         .tables_end = ""};
constexpr JointStream::Names kTextNames{.norm = ".norm1_context",
                                        .query = ".attn.add_q_proj",
                                        .key = ".attn.add_k_proj",
                                        .value = ".attn.add_v_proj",
                                        .query_norm = ".attn.norm_added_q",
                                        .key_norm = ".attn.norm_added_k",
                                        .out = ".attn.to_add_out",
                                        .mlp = ".ff_context",
                                        .tables_end = "_c"};

std::string name_of_part(const std::string& prefix, std::string_view name) {
  return prefix + std::string(name);
}

HeadTransform make_head_transform(ParameterList& list, const std::string& prefix,
                                  const JointSizes& sizes, const JointStream::Names& names) {
  HeadTransform made{.rotation = {},
                     .ranks = list.tensor_ranks(),
                     .label = "gradient of the norms of the heads of " + prefix};
  if (sizes.head_norm == HeadNorm::kNone) return made;
  const std::int64_t size = sizes.width / sizes.heads;
  made.norms[0] = &list.add(name_of_part(prefix, names.query_norm) + ".weight", {size}, Init::kOne);
  made.norms[1] = &list.add(name_of_part(prefix, names.key_norm) + ".weight", {size}, Init::kOne);
  return made;
}

FeedForward make_feed_forward(ParameterList& list, const std::string& prefix,
                              const JointSizes& sizes) {
  FeedForward made;
  made.in = Linear::make(list, prefix + ".net.0.proj", sizes.hidden_units, sizes.width,
                         {.init = Init::kUniform, .cut = LinearCut::kOutputs});
  made.out = Linear::make(list, prefix + ".net.2", sizes.width, sizes.hidden_units,
                          {.init = Init::kUniform, .cut = LinearCut::kInputs});
  made.branch = ParallelBranch::make(list, prefix);
  return made;
}

ModulationTables make_tables(ParameterList& list, const std::string& prefix, std::string_view end,
                             std::int64_t width) {
  const double deviation = 1 / std::sqrt(static_cast<double>(width));
  const Shape shape{JointBlock::kChunks, width};
  ModulationTables made;
  made.shift = &list.add_drawn(name_of_part(prefix + ".scale_shift_bias", end), shape,
                               Init::kNormal, deviation);
  made.scale = &list.add_drawn(name_of_part(prefix + ".scale_shift_scale", end), shape,
                               Init::kNormal, deviation);
  return made;
}

// Both streams' values of a branch, or what stands for them.
template <class Compute>
JointTokens both_reused(Tape& tape, const JointInputs& inputs, Branch branch, bool has_text,
                        Compute compute) {
  BranchReuse* const reuse = inputs.hooks.reuse;
  if (reuse == nullptr) return compute();
  const BranchSite image{inputs.number, branch}, text{inputs.text_number, branch};
  if (!reuse->computes(image)) {
    return {reuse->recall(tape, image), has_text ? reuse->recall(tape, text) : Var{}};
  }
  JointTokens values = compute();
  reuse->keep(tape, image, values.image);
  if (has_text) reuse->keep(tape, text, values.text);
  return values;
}

}  // namespace

JointStream JointStream::make(ParameterList& list, const std::string& prefix,
                              const JointSizes& sizes, const Names& names, bool goes_on) {
  const std::int64_t width = sizes.width;
  JointStream made;
  made.heads = sizes.heads / list.tensor_ranks().size();
  made.norm = &list.add(name_of_part(prefix, names.norm) + ".weight", {width}, Init::kOne);
  made.bias = &list.add(name_of_part(prefix, names.norm) + ".bias", {width}, Init::kZero);
  const std::array parts{names.query, names.key, names.value};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    made.qkv[i] = Linear::make(list, name_of_part(prefix, parts[i]), width, width,
                               {.init = Init::kUniform, .cut = LinearCut::kOutputs});
  }
  made.head_transform = make_head_transform(list, prefix, sizes, names);
  made.attention_branch = ParallelBranch::make(list, name_of_part(prefix, names.query));
  if (!goes_on) return made;
  made.projection = Linear::make(list, name_of_part(prefix, names.out), width, width,
                                 {.init = Init::kUniform, .cut = LinearCut::kInputs});
  made.mlp = make_feed_forward(list, name_of_part(prefix, names.mlp), sizes);
  made.tables = make_tables(list, prefix, names.tables_end, width);
  return made;
}

Var JointStream::chunks(Tape& tape, const Var& modulation) const {
  return goes_on() ? tables(tape, modulation) : Var{};
}

Var JointStream::heads_of(Tape& tape, const Var& x, const Var& chunks) const {
  Var y = affine_norm(tape, x, *norm, *bias, chunks, kAttentionChunks);
  std::array<StackedMap, 3> maps;
  for (std::size_t i = 0; i < maps.size(); ++i) maps[i] = {qkv[i].weight, qkv[i].bias};
  y = stacked_linear(tape, attention_branch.enter(tape, y), maps);
  return head_transform(tape, y, heads);
}

Var JointStream::project(Tape& tape, const Var& attended) const {
  const Var partial =
      linear(tape, attended, *projection.weight, attention_branch.bias_inside(projection.bias));
  return attention_branch.leave(tape, partial, *projection.bias);
}

GateNorm JointStream::add_attended(Tape& tape, const Var& x, const Var& chunks, const Var& branch,
                                   bool with_norm) {
  const OpenResidual attended{x, branch, {chunks, kAttentionGate}};
  return with_norm ? attended.close(tape, BranchNorm{}, chunks, kMlpChunks)
                   : GateNorm{attended.close(tape), {}};
}

Var JointStream::mlp_of(Tape& tape, const Var& x, Var normed, const Var& chunks,
                        std::int64_t number, HiddenReuse* hook, Recompute recompute) const {
  const KeepActivated keep =
      recompute == Recompute::kLeast ? KeepActivated::kYes : KeepActivated::kNo;
  const auto feed_forward = [this, &tape, x, chunks, number, hook, keep](const Var& given) {
    const Var entered = given ? given : modulated_norm(tape, x, chunks, kMlpChunks);
    return hook == nullptr ? mlp.enter(tape, entered, keep)
                           : mlp.enter(tape, entered, number, *hook);
  };
  const Var branch = recompute == Recompute::kSelective
                         ? tape.recompute([feed_forward] { return feed_forward({}); })
                         : feed_forward(normed);
  normed = {};
  return mlp.leave(tape, branch);
}

JointBlock JointBlock::make(ParameterList& list, const std::string& prefix,
                            const JointSizes& sizes) {
  return {sizes.regions, JointStream::make(list, prefix, sizes, kImageNames, true),
          JointStream::make(list, prefix, sizes, kTextNames, !sizes.is_last)};
}

// One value has to come out of what is run again: both streams as one.
JointTokens JointBlock::operator()(Tape& tape, const JointTokens& tokens, const Var& modulation,
                                   const JointInputs& inputs, Recompute recompute) const {
  if (recompute != Recompute::kFull) return run(tape, tokens, modulation, inputs, recompute);
  const Var both = tape.recompute([this, &tape, tokens, modulation, inputs] {
    const JointTokens given = run(tape, tokens, modulation, inputs, Recompute::kNone);
    return given.text ? join_tokens(tape, given.image, given.text) : given.image;
  });
  if (!text.goes_on()) return {both, {}};
  const std::int64_t count = tokens.image.shape()[1];
  return {first_tokens(tape, both, count), last_tokens(tape, both, count)};
}

JointTokens JointBlock::attend(Tape& tape, const JointTokens& tokens, const JointTokens& chunks,
                               const JointInputs& inputs) const {
  return both_reused(tape, inputs, Branch::kAttention, text.goes_on(), [&] {
    JointTokens heads{image.heads_of(tape, tokens.image, chunks.image),
                      text.heads_of(tape, tokens.text, chunks.text)};
    const Var joined = join_tokens(tape, heads.image, heads.text, regions);
    heads = {};
    const Var attended = plain_attention(tape, joined, image.heads);
    const std::int64_t count = tokens.image.shape()[1];
    JointTokens given{image.project(tape, first_tokens(tape, attended, count, regions)), {}};
    if (text.goes_on()) {
      given.text = text.project(tape, last_tokens(tape, attended, count, regions));
    }
    return given;
  });
}

JointTokens JointBlock::run(Tape& tape, const JointTokens& tokens, const Var& modulation,
                            const JointInputs& inputs, Recompute recompute) const {
  const JointTokens chunks{image.chunks(tape, modulation), text.chunks(tape, modulation)};
  JointTokens branch = attend(tape, tokens, chunks, inputs);
  // A norm that is not always computed, or computed twice, is an op of its own.
  const bool together = inputs.hooks.reuse == nullptr && recompute != Recompute::kSelective;
  GateNorm of_image =
      JointStream::add_attended(tape, tokens.image, chunks.image, branch.image, together);
  GateNorm of_text;
  if (text.goes_on()) {
    of_text = JointStream::add_attended(tape, tokens.text, chunks.text, branch.text, together);
  }
  branch = {};
  HiddenReuse* const hidden = inputs.hooks.hidden;
  branch = both_reused(tape, inputs, Branch::kMlp, text.goes_on(), [&] {
    JointTokens given{image.mlp_of(tape, of_image.sum, std::move(of_image.normed), chunks.image,
                                   inputs.number, hidden, recompute),
                      {}};
    if (text.goes_on()) {
      given.text = text.mlp_of(tape, of_text.sum, std::move(of_text.normed), chunks.text,
                               inputs.text_number, hidden, recompute);
    }
    return given;
  });
  JointTokens given{gate_residual(tape, of_image.sum, chunks.image, kMlpGate, branch.image), {}};
  if (text.goes_on()) {
    given.text = gate_residual(tape, of_text.sum, chunks.text, kMlpGate, branch.text);
  }
  return given;
}

}  // namespace edt
