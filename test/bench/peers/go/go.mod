module onnxmq/bench/peer

go 1.23

require (
	github.com/goccy/go-json v0.12.0
	github.com/rabbitmq/amqp091-go v1.16.0
	github.com/yalue/onnxruntime_go v1.27.0
)
