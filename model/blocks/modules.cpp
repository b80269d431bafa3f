#include "model/blocks/modules.h"

#include "core/ops/rows.h"
#include "model/blocks/narrow_blocks.h"

namespace edt {
namespace {

// Chunks of a block's adaLN projection, as published: shift, scale and gate of each branch, or
// scale and gate.
struct BranchChunks {
  ModulationChunks norm;
  int gate;

  BranchChunks(bool shifts, int branch)
      : norm{shifts ? 3 * branch : ModulationChunks::kNoShift,
             shifts ? 3 * branch + 1 : 2 * branch},
        gate(norm.scale + 1) {}
};

// An MLP whose groups of hidden units have gates, [R, groups]: in front of gelu, as published,
// which is the same to what is computed, and another slope for the gates. Of SwiGLU behind its
// product.
Var enter_gated(Tape& tape, const FeedForward& mlp, const Var& x, const Var& gates) {
  if (mlp.form == MlpForm::kSwiglu) return mlp.enter_masked(tape, x, gates);
  const Var before = mask_units(tape, mlp.in(tape, mlp.branch.enter(tape, x)), gates);
  return linear(tape, gelu(tape, before), *mlp.out.weight, mlp.branch.bias_inside(mlp.out.bias));
}

}  // namespace

Modulation Modulation::make(ParameterList& list, const std::string& prefix, std::int64_t out,
                            std::int64_t condition, Init init, const WeightStyle& weights) {
  LinearOptions options{.init = init, .cut = LinearCut::kOutputs, .form = weights.form};
  if (init == Init::kZero && weights != WeightStyle{}) {
    options.init = Init::kXavierUniform;
    if (!weights.modulation_norm) options.scale = Init::kZero;
  }
  Modulation made{
      .linear = Linear::make(list, prefix + ".adaLN_modulation.1", out, condition, options),
      .ranks = list.tensor_ranks()};
  if (weights.modulation_norm) {
    const ParameterList::Part part(list, "modulation-norm");
    made.norm = &list.add(prefix + ".adaLN_modulation.2.weight", {out},
                          init == Init::kZero ? Init::kZero : Init::kOne);
  }
  return made;
}

Var Modulation::gather(Tape& tape, const Var& columns) const {
  const Var all = gather_columns(tape, columns, ranks, linear.weight->name);
  return norm == nullptr ? all : rms_norm(tape, all, *norm);
}

ModulationTables ModulationTables::make(ParameterList& list, const std::string& prefix,
                                        ModulationForm form, std::int64_t chunks,
                                        std::int64_t width) {
  const auto table = [&](const char* name) {
    return &list.add(prefix + name, {chunks, width}, Init::kZero);
  };
  if (form == ModulationForm::kSingle) return {nullptr, table(".scale_shift_table")};
  if (form != ModulationForm::kAffine) return {};
  Parameter* const scale = table(".scale_shift_scale");
  return {scale, table(".scale_shift_bias")};
}

Var ModulationTables::operator()(Tape& tape, const Var& modulation) const {
  if (shift == nullptr) return modulation;
  return scale == nullptr ? add_bias(tape, modulation, *shift)
                          : affine_modulation(tape, modulation, *scale, *shift);
}

ConditionEmbedding ConditionEmbedding::make(ParameterList& list, std::int64_t width,
                                            const CommonConfig& config) {
  ConditionEmbedding made;
  made.first =
      Linear::make(list, "t_embedder.mlp.0", width, kTimestepFeatures, {.init = Init::kNormal002});
  made.second = Linear::make(list, "t_embedder.mlp.2", width, width, {.init = Init::kNormal002});
  if (config.classes > 0) {
    made.labels = &list.add("y_embedder.embedding_table.weight", {config.classes + 1, width},
                            Init::kNormal002);
  }
  if (config.text.form == TextForm::kPooled) {
    made.text = PooledText::make(list, width, config.text.channels);
  }
  return made;
}

Var ConditionEmbedding::embed(Tape& tape, const ModelInputs& inputs, Var* time) const {
  const Var features = timestep_features(tape, inputs.t, kTimestepFeatures);
  Var sum = second(tape, silu(tape, first(tape, features)));
  if (time != nullptr) *time = sum;
  if (labels != nullptr) sum = add(tape, sum, label_embedding(tape, inputs.labels, *labels));
  return text.is_on() ? add(tape, sum, text(tape, inputs.text)) : sum;
}

PatchEmbedding PatchEmbedding::make(ParameterList& list, std::int64_t width,
                                    const CommonConfig& config) {
  const std::int64_t channels = config.latents.channels, patch = config.patch;
  const std::int64_t beside = config.frame_channels;
  const std::string prefix = beside > 0 ? "x_embedder" : "x_embedder.proj";
  const Shape shape = beside > 0 ? Shape{width, channels * patch * patch + beside}
                                 : Shape{width, channels, patch, patch};
  PatchEmbedding made{.patch = patch, .has_frames = beside > 0};
  made.projection.weight = &list.add(prefix + ".weight", shape, Init::kXavierUniform);
  made.projection.bias = &list.add(prefix + ".bias", {width}, Init::kZero);
  return made;
}

Var PatchEmbedding::operator()(Tape& tape, const ModelInputs& inputs,
                               const Tensor& positions) const {
  Parameter &weight = *projection.weight, &bias = *projection.bias;
  if (!has_frames) return patch_embedding(tape, inputs.image, weight, bias, positions);
  require<UsageError>(inputs.frames.defined(), "model",
                      "the network reads a condition of each frame, and none are given");
  return patch_embedding(tape, PatchesBeside{inputs.image, inputs.frames, patch}, weight, bias,
                         positions);
}

Var gate_time(Tape& tape, const Var& time, const PassHooks& hooks) {
  const std::int64_t rows = time.shape()[0];
  if (hooks.gates == nullptr || hooks.gates->rows() == rows) return time;
  return take_rows(tape, time, 0, hooks.gates->rows());
}

BranchNorm BranchNorm::make(ParameterList& list, const std::string& name, std::int64_t width,
                            NormForm form) {
  if (form == NormForm::kLayer) return {};
  return {&list.add(name + ".weight", {width}, Init::kOne)};
}

Var BranchNorm::operator()(Tape& tape, const Var& x, const Var& modulation,
                           ModulationChunks chunks) const {
  return weight == nullptr ? modulated_norm(tape, x, modulation, chunks)
                           : modulated_rms_norm(tape, x, *weight, modulation, chunks);
}

Var OpenResidual::close(Tape& tape) const {
  return gate_residual(tape, x, gate.modulation, gate.gate, branch);
}

GateNorm OpenResidual::close(Tape& tape, const BranchNorm& norm, const Var& modulation,
                             ModulationChunks chunks) const {
  return gate_norm(tape, x, gate, branch, {norm.weight, modulation, chunks});
}

HeadTransform HeadTransform::make(ParameterList& list, const std::string& prefix, std::int64_t size,
                                  HeadNorm norm, const Tensor& rotation) {
  HeadTransform made{.rotation = rotation,
                     .ranks = list.tensor_ranks(),
                     .label = "gradient of the norms of the heads of " + prefix};
  if (norm == HeadNorm::kNone) return made;
  for (const std::size_t which : {0, 1}) {
    const std::string name = prefix + (which == 0 ? ".q_norm" : ".k_norm");
    made.norms[which] = &list.add(name + ".weight", {size}, Init::kOne);
    if (norm == HeadNorm::kLayer) {
      made.norms[2 + which] = &list.add(name + ".bias", {size}, Init::kZero);
    }
  }
  return made;
}

// Each rank has heads of its own, so that the gradient of what all of them share is a sum.
Var HeadTransform::operator()(Tape& tape, const Var& qkv, std::int64_t heads,
                              const Var& of_tokens) const {
  if (norms[0] == nullptr && !rotation.defined()) return qkv;
  Var rows;
  if (norms[0] != nullptr) {
    rows = copy_to_tensor_ranks(tape, parameter_rows(tape, norms), ranks, label);
  }
  return edt::head_transform(tape, qkv, heads, rows, of_tokens ? of_tokens.tensor() : rotation,
                             of_tokens);
}

FeedForward FeedForward::make(ParameterList& list, const std::string& prefix, std::int64_t width,
                              std::int64_t hidden_units, MlpForm form, WeightForm weights) {
  const bool gated = form == MlpForm::kSwiglu;
  FeedForward made;
  made.form = form;
  made.in = Linear::make(list, prefix + (gated ? ".w12" : ".fc1"),
                         gated ? 2 * hidden_units : hidden_units, width,
                         {.cut = LinearCut::kOutputs, .chunks = gated ? 2 : 1, .form = weights});
  made.out = Linear::make(list, prefix + (gated ? ".w3" : ".fc2"), width, hidden_units,
                          {.cut = LinearCut::kInputs, .form = weights});
  made.branch = ParallelBranch::make(list, prefix);
  return made;
}

Var FeedForward::enter(Tape& tape, const Var& x, KeepActivated keep) const {
  const MlpParameters parameters{*in.weight, *in.bias, *out.weight, branch.bias_inside(out.bias)};
  const Var entered = branch.enter(tape, x);
  return form == MlpForm::kSwiglu ? swiglu(tape, entered, parameters)
                                  : mlp(tape, entered, parameters, keep);
}

Var FeedForward::enter(Tape& tape, const Var& x, std::int64_t block, HiddenReuse& hook) const {
  require<UsageError>(form == MlpForm::kGelu, "model",
                      "hidden units are to be reused, and the MLP is swiglu, not gelu");
  const Var hidden =
      hook.pass(tape, block, out.weight->shape[0], gelu(tape, in(tape, branch.enter(tape, x))));
  return linear(tape, hidden, *out.weight, branch.bias_inside(out.bias));
}

Var FeedForward::enter_masked(Tape& tape, const Var& x, const Var& factors) const {
  const Var before = in(tape, branch.enter(tape, x));
  const Var units = form == MlpForm::kSwiglu ? silu_gate(tape, before) : gelu(tape, before);
  return linear(tape, mask_units(tape, units, factors), *out.weight, branch.bias_inside(out.bias));
}

TransformerBlock TransformerBlock::make(ParameterList& list, const std::string& prefix,
                                        const Sizes& sizes) {
  const std::int64_t width = sizes.width;
  const BlockStyle& style = sizes.style;
  const BlockUnits& units = sizes.units;
  const std::int64_t inner = units.heads * units.head_size;  // of what attention gives
  TransformerBlock made;
  made.heads = units.heads / list.tensor_ranks().size();
  made.grid = sizes.grid;
  made.shifts = style.shifts;
  if (sizes.has_bias && sizes.linear == nullptr) {
    made.bias_table = &list.add(prefix + ".attn.rel_pos_bias.relative_position_bias_table",
                                {sizes.grid.distances() + sizes.spare_rows, units.heads},
                                Init::kTruncatedNormal002, TensorCut::columns());
  }
  made.attention_norm = BranchNorm::make(list, prefix + ".norm1", width, style.norm);
  if (sizes.spatial.is_on()) {
    made.spatial = SpatialLayer::make(list, prefix + ".spatial", width, sizes.grid, sizes.spatial);
  }
  if (sizes.linear != nullptr) {
    made.linear_attention = CompressedAttention::make(
        list, prefix + ".attn",
        {.width = width, .heads = units.heads, .grid = sizes.grid, .weights = sizes.weights.form},
        *sizes.linear);
  } else {
    made.qkv = Linear::make(list, prefix + ".attn.qkv", 3 * inner, width,
                            {.cut = LinearCut::kOutputs, .chunks = 3, .form = sizes.weights.form});
    made.head_transform = HeadTransform::make(list, prefix + ".attn", units.head_size,
                                              style.head_norm, sizes.rotation);
    made.projection = Linear::make(list, prefix + ".attn.proj", width, inner,
                                   {.cut = LinearCut::kInputs, .form = sizes.weights.form});
  }
  if (sizes.text > 0) {
    made.text = CrossAttention::make(list, prefix + ".cross_attn", width, width / units.head_size,
                                     sizes.text);
  }
  made.mlp_norm = BranchNorm::make(list, prefix + ".norm2", width, style.norm);
  made.mlp =
      FeedForward::make(list, prefix + ".mlp", width, units.hidden, style.mlp, sizes.weights.form);
  const std::int64_t chunks = style.modulation_chunks();
  made.shares_modulation = sizes.shared != nullptr;
  made.modulation = sizes.shared != nullptr
                        ? *sizes.shared
                        : Modulation::make(list, prefix, chunks * width, sizes.condition,
                                           Init::kZero, sizes.weights);
  made.tables = ModulationTables::make(list, prefix, sizes.modulation, chunks, width);
  if (sizes.has_skip) made.skip = Linear::make(list, prefix + ".skip_linear", width, 2 * width);
  made.attention_branch = ParallelBranch::make(list, prefix + ".attn");
  made.masks = sizes.masks;
  if (sizes.mask_kinds.heads) {
    made.head_mask = sizes.masks->add(list, prefix + ".attn.mask", units.heads);
  }
  if (sizes.mask_kinds.hidden) {
    made.hidden_mask = sizes.masks->add(list, prefix + ".mlp.mask", units.hidden);
  }
  if (sizes.gates.is_on()) {
    made.gates = UnitGates::make(list, prefix,
                                 {.width = width,
                                  .condition = sizes.condition,
                                  .tokens = sizes.grid.tokens(),
                                  .units = units},
                                 sizes.gates);
  }
  return made;
}

std::optional<Modulation> TransformerBlock::make_shared(ParameterList& list,
                                                        const std::string& prefix,
                                                        const Sizes& sizes) {
  if (sizes.modulation == ModulationForm::kFull) return std::nullopt;
  return Modulation::make(list, prefix, sizes.style.modulation_chunks() * sizes.width,
                          sizes.condition, Init::kZero, sizes.weights);
}

Var TransformerBlock::operator()(Tape& tape, const Var& x, const Var& chunks,
                                 const BlockInputs& inputs, Recompute recompute) const {
  const auto run = [this, &tape, x, chunks, inputs](Recompute inside) {
    return open(tape, x, {}, chunks, inputs, inside).close(tape);
  };
  if (recompute != Recompute::kFull) return run(recompute);
  return tape.recompute([run] { return run(Recompute::kNone); });
}

UnitFactors TransformerBlock::factors(Tape& tape) const {
  UnitFactors made;
  if (head_mask) made.heads = masks->factors(tape, *head_mask);
  if (hidden_mask) made.hidden = masks->factors(tape, *hidden_mask);
  return made;
}

Var TransformerBlock::attend(Tape& tape, const Var& values, const BlockInputs& inputs) const {
  if (bias_table == nullptr) return plain_attention(tape, values, heads);
  if (inputs.visible.ids.defined())
    return visible_attention(tape, values, *bias_table, inputs.visible);
  return attention(tape, values, *bias_table, grid, amm);
}

GateNorm TransformerBlock::close_before(Tape& tape, const OpenResidual& before,
                                        const Var& chunks) const {
  return before.close(tape, attention_norm, chunks, BranchChunks(shifts, 0).norm);
}

Var TransformerBlock::attention_of(Tape& tape, const Var& x, Var normed, const Var& chunks,
                                   const BlockInputs& inputs) const {
  Var branch =
      normed ? std::move(normed) : attention_norm(tape, x, chunks, BranchChunks(shifts, 0).norm);
  if (spatial) branch = (*spatial)(tape, branch);
  if (linear_attention) return (*linear_attention)(tape, branch);
  branch = qkv(tape, attention_branch.enter(tape, branch));
  branch = head_transform(tape, branch, heads, inputs.rotation);
  branch = attend(tape, branch, inputs);
  if (inputs.factors.heads) branch = mask_units(tape, branch, inputs.factors.heads);
  branch = linear(tape, branch, *projection.weight, attention_branch.bias_inside(projection.bias));
  return attention_branch.leave(tape, branch, *projection.bias);
}

Var TransformerBlock::mlp_of(Tape& tape, const Var& x, Var normed, const Var& chunks,
                             const BlockInputs& inputs, Recompute recompute) const {
  const KeepActivated keep =
      recompute == Recompute::kLeast ? KeepActivated::kYes : KeepActivated::kNo;
  const auto feed_forward = [this, &tape, x, chunks, keep, number = inputs.number,
                             hook = inputs.hooks.hidden,
                             factors = inputs.factors.hidden](const Var& given) {
    const Var entered = given ? given : mlp_norm(tape, x, chunks, BranchChunks(shifts, 1).norm);
    require<UsageError>(!factors || hook == nullptr, "model",
                        "hidden units are to be reused, and some have masks or gates");
    if (factors && gates) return enter_gated(tape, mlp, entered, factors);
    if (factors) return mlp.enter_masked(tape, entered, factors);
    return hook == nullptr ? mlp.enter(tape, entered, keep)
                           : mlp.enter(tape, entered, number, *hook);
  };
  const Var branch = recompute == Recompute::kSelective
                         ? tape.recompute([feed_forward] { return feed_forward({}); })
                         : feed_forward(normed);
  normed = {};
  return mlp.leave(tape, branch);
}

Var TransformerBlock::gated_mlp_of(Tape& tape, const Var& x, const Var& chunks,
                                   const BlockInputs& inputs, Recompute recompute) const {
  const Var open = gates->token_gates(tape, x, inputs.gates);
  if (inputs.hooks.narrow != nullptr) {
    return inputs.hooks.narrow->mlp_of(
        tape, mlp, mlp_norm(tape, x, chunks, BranchChunks(shifts, 1).norm), open);
  }
  return gate_tokens(tape, mlp_of(tape, x, {}, chunks, inputs, recompute), open);
}

OpenResidual TransformerBlock::open(Tape& tape, const Var& x, Var normed, const Var& chunks,
                                    const BlockInputs& inputs, Recompute recompute) const {
  EDT_ASSERT((skip.weight != nullptr) == static_cast<bool>(inputs.skip));
  const Var start = inputs.skip ? concat_linear(tape, x, inputs.skip, *skip.weight, *skip.bias) : x;
  BranchReuse* const reuse = inputs.hooks.reuse;
  const BranchChunks of_attention(shifts, 0), of_mlp(shifts, 1);
  OpenResidual attended{start, {}, {chunks, of_attention.gate}};
  attended.branch = reused(tape, reuse, {inputs.number, Branch::kAttention}, [&] {
    return attention_of(tape, start, std::move(normed), chunks, inputs);
  });
  // Where the sum is read by others first, or the norm is not always computed or computed twice,
  // they are two ops.
  const bool together = !text && !gates && reuse == nullptr && recompute != Recompute::kSelective;
  GateNorm middle = together ? attended.close(tape, mlp_norm, chunks, of_mlp.norm)
                             : GateNorm{attended.close(tape), {}};
  attended = {};
  if (text) middle.sum = add(tape, middle.sum, (*text)(tape, middle.sum, inputs.text));
  Var branch = reused(tape, reuse, {inputs.number, Branch::kMlp}, [&] {
    return gates ? gated_mlp_of(tape, middle.sum, chunks, inputs, recompute)
                 : mlp_of(tape, middle.sum, std::move(middle.normed), chunks, inputs, recompute);
  });
  return {std::move(middle.sum), std::move(branch), {chunks, of_mlp.gate}};
}

FinalLayer FinalLayer::make(ParameterList& list, std::int64_t width, std::int64_t out,
                            NormForm norm, ModulationForm form) {
  FinalLayer made;
  made.norm = BranchNorm::make(list, "final_layer.norm_final", width, norm);
  made.projection = Linear::make(list, "final_layer.linear", out, width, {.init = Init::kZero});
  if (form == ModulationForm::kSingle) {
    made.table = &list.add("scale_shift_table", {2, width}, Init::kZero);
  } else {
    made.modulation = Modulation::make(list, "final_layer", 2 * width, width, Init::kZero);
  }
  return made;
}

Var FinalLayer::operator()(Tape& tape, const Var& x, const Var& condition,
                           const Var& embedded) const {
  const Var chunks = table == nullptr ? modulation(tape, condition)
                                      : add_bias(tape, repeat_columns(tape, embedded, 2), *table);
  return projection(tape, norm(tape, x, chunks));
}

}  // namespace edt
