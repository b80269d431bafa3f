#include "core/cuda/nvtx.h"

#include <nvtx3/nvToolsExt.h>

#include <optional>
#include <string>

#include "core/base/span.h"

namespace edt {
namespace {

class NvtxListener final : public SpanListener {
 public:
  NvtxListener() { add_span_listener(*this); }
  ~NvtxListener() override { remove_span_listener(*this); }

  void begin(const SpanInfo& span) override {
    thread_local std::string text;  // its memory is used again
    text.assign(span.name);
    if (!span.label.empty()) text.append(" ").append(span.label);
    nvtxEventAttributes_t attributes = message(text.c_str());
    attributes.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    attributes.payload.ullValue =
        static_cast<std::uint64_t>(span.bytes > 0 ? span.bytes : span.flops);
    nvtxDomainRangePushEx(domain_, &attributes);
  }
  void end(SpanKind) override { nvtxDomainRangePop(domain_); }
  // Phases overlap the spans of a thread, so they are no part of its stack.
  void phase(std::string_view name) override {
    if (phase_) nvtxDomainRangeEnd(domain_, *phase_);
    const std::string text(name);
    const nvtxEventAttributes_t attributes = message(text.c_str());
    phase_ = nvtxDomainRangeStartEx(domain_, &attributes);
  }

 private:
  // The text is copied by what receives it.
  static nvtxEventAttributes_t message(const char* text) {
    nvtxEventAttributes_t attributes{};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
    attributes.message.ascii = text;
    return attributes;
  }

  nvtxDomainHandle_t domain_ = nvtxDomainCreateA("edt");
  std::optional<nvtxRangeId_t> phase_;
};

}  // namespace

void mark_spans_with_nvtx() { static const NvtxListener listener; }

}  // namespace edt
