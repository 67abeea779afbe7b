// ONNX Runtime's Linux binary sends usage data unless told otherwise before its first session
// (microsoft/onnxruntime#27379). Importing this file tells it; the image does too.
process.env['ORT_DISABLE_TELEMETRY'] = '1';
