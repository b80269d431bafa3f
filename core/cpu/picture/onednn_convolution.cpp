#include "core/cpu/picture/onednn_convolution.h"

#include <cstring>

#include "core/cpu/onednn_descriptions.h"

namespace edt {
namespace {

using Dims = dnnl::memory::dims;
using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

Dims weight_dims(const ConvolutionGeometry& g) {
  if (g.groups == 1) return {g.outputs, g.inputs, g.rows, g.columns};
  return {g.groups, g.outputs / g.groups, g.inputs / g.groups, g.rows, g.columns};
}

Dims picture_dims(const Shape& x) { return {x[0], x[3], x[1], x[2]}; }

dnnl::primitive_attr attributes_of(const ConvolutionEnd& end) {
  dnnl::post_ops post;
  if (end.add) post.append_sum(1.f);
  if (end.activation == PictureActivation::kRelu) {
    append_activation(post, dnnl::algorithm::eltwise_relu, 0.f);
  } else if (end.activation == PictureActivation::kSilu) {
    append_activation(post, dnnl::algorithm::eltwise_swish, 1.f);
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post);
  return attributes;
}

dnnl::memory filled(const dnnl::memory::desc& layout, std::span<const float> values) {
  dnnl::memory memory(layout, cpu_engine());
  EDT_ASSERT(layout.get_size() == values.size_bytes());
  std::memcpy(memory.get_data_handle(), values.data(), values.size_bytes());
  return memory;
}

}  // namespace

ConvolutionGeometry::ConvolutionGeometry(const ConvolutionForm& form)
    : inputs(form.inputs),
      outputs(form.outputs),
      groups(form.groups),
      stride(form.stride),
      rows(form.kernel_rows()),
      columns(form.kernel_columns()),
      top(form.top()),
      left(form.left()),
      bottom(form.bottom()),
      right(form.right()) {}

dnnl::engine& cpu_engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::convolution_forward::primitive_desc describe_convolution(const ConvolutionGeometry& g,
                                                               const Shape& x, Type type,
                                                               Tag pictures, bool bias,
                                                               const ConvolutionEnd& end) {
  const dnnl::memory::desc in(picture_dims(x), type, pictures);
  const dnnl::memory::desc out(picture_dims(g.result_of(x)), type, pictures);
  const dnnl::memory::desc weights(weight_dims(g), type, Tag::any);
  const dnnl::memory::desc biases =
      bias ? dnnl::memory::desc({g.outputs}, Type::f32, Tag::a) : dnnl::memory::desc();
  return describe_convolution_forward(cpu_engine(),
                                      {in, weights, biases, out, Dims{g.stride, g.stride},
                                       Dims{g.top, g.left}, Dims{g.bottom, g.right}},
                                      attributes_of(end));
}

OneDnnConvolution::OneDnnConvolution(const ConvolutionGeometry& geometry,
                                     std::span<const float> weight, std::span<const float> bias,
                                     DType type)
    : geometry_(geometry),
      type_(type == DType::kBFloat16 ? Type::bf16 : Type::f32),
      stream_(cpu_engine()) {
  const Tag plain = geometry.groups == 1 ? Tag::oihw : Tag::goihw;
  weights_.push_back(filled({weight_dims(geometry), Type::f32, plain}, weight));
  if (!bias.empty()) bias_ = filled({{geometry.outputs}, Type::f32, Tag::a}, bias);
}

const dnnl::memory& OneDnnConvolution::weights_as(const dnnl::memory::desc& layout) {
  for (const dnnl::memory& there : weights_) {
    if (there.get_desc() == layout) return there;
  }
  dnnl::memory made(layout, cpu_engine());
  dnnl::reorder(weights_.front(), made).execute(stream_, weights_.front(), made);
  stream_.wait();
  if (!laid_out_) weights_.clear();  // the plain ones have served: others are made of this one
  laid_out_ = true;
  return weights_.emplace_back(std::move(made));
}

OneDnnConvolution::Prepared OneDnnConvolution::prepare(const Shape& shape,
                                                       const ConvolutionEnd& end) {
  const auto description =
      describe_convolution(geometry_, shape, type_, Tag::nhwc, static_cast<bool>(bias_), end);
  Prepared made;
  made.primitive = dnnl::convolution_forward(description);
  made.x = dnnl::memory(description.src_desc(), cpu_engine(), DNNL_MEMORY_NONE);
  made.y = dnnl::memory(description.dst_desc(), cpu_engine(), DNNL_MEMORY_NONE);
  made.arguments = {{DNNL_ARG_SRC, made.x},
                    {DNNL_ARG_WEIGHTS, weights_as(description.weights_desc())},
                    {DNNL_ARG_DST, made.y}};
  if (bias_) made.arguments.emplace(DNNL_ARG_BIAS, bias_);
  return made;
}

void OneDnnConvolution::run(const Shape& shape, Span x, Span y, const ConvolutionEnd& end) {
  const Key key{shape[0], shape[1], shape[2], end.add, end.activation};
  auto found = prepared_.find(key);
  if (found == prepared_.end()) found = prepared_.emplace(key, prepare(shape, end)).first;
  Prepared& prepared = found->second;
  prepared.x.set_data_handle(x.data);
  prepared.y.set_data_handle(y.data);
  prepared.primitive.execute(stream_, prepared.arguments);
  stream_.wait();
}

}  // namespace edt
