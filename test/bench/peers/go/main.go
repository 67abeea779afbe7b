// A worker as one would write it in Go: amqp091-go and onnxruntime_go, rows inferred in batches.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gojson "github.com/goccy/go-json"
	amqp "github.com/rabbitmq/amqp091-go"
	ort "github.com/yalue/onnxruntime_go"
)

type request struct {
	delivery amqp.Delivery
	ID       string    `json:"id"`
	Data     []float32 `json:"data"`
	ready    time.Time
}

type output struct {
	Name     string    `json:"name"`
	Shape    []int64   `json:"shape"`
	Datatype string    `json:"datatype"`
	Data     []float32 `json:"data"`
}

type parameters struct {
	Label [1]string  `json:"label"`
	Score [1]float32 `json:"score"`
}

type answer struct {
	ModelName    string      `json:"model_name"`
	ModelVersion string      `json:"model_version"`
	ID           string      `json:"id"`
	Outputs      [1]output   `json:"outputs"`
	Parameters   *parameters `json:"parameters,omitempty"`
}

var (
	ioDelay   = time.Duration(number("PREPROCESS_IO_DELAY_MS")) * time.Millisecond
	prefetch  = number("PREFETCH")
	maxSize   = number("BATCH_MAX_SIZE")
	maxWait   = time.Duration(number("BATCH_MAX_WAIT_MS")) * time.Millisecond
	modelName = os.Getenv("DEFAULT_MODEL")

	onTheirWay    atomic.Int64 // requests still in their I/O wait
	batches, rows atomic.Int64
)

func main() {
	model := loadModel(filepath.Join(os.Getenv("MODELS_DIR"), modelName))
	requests, results := openChannel(), openChannel()
	check(requests.Qos(prefetch, 0, false))
	check(results.Confirm(false))
	confirms := results.NotifyPublish(make(chan amqp.Confirmation, prefetch))
	returns := results.NotifyReturn(make(chan amqp.Return))
	deliveries, err := requests.Consume(os.Getenv("REQUEST_QUEUE"), "", false, false, false, false, nil)
	check(err)
	fmt.Println("consuming")

	ready := make(chan *request, prefetch)
	published := make(chan uint64, prefetch) // the delivery tags, in the order of the confirms
	go receive(deliveries, ready, model.rowSize)
	go infer(model, ready, results, published)
	go acknowledge(requests, confirms, published)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case returned := <-returns:
		log.Fatalf("an answer was returned: %s", returned.ReplyText)
	case <-stop:
		fmt.Printf("{\"batches\":%d,\"rows\":%d}\n", batches.Load(), rows.Load())
	}
}

func receive(deliveries <-chan amqp.Delivery, ready chan<- *request, rowSize int) {
	for delivery := range deliveries {
		r := &request{delivery: delivery, Data: make([]float32, 0, rowSize)}
		if err := gojson.Unmarshal(delivery.Body, r); err != nil || len(r.Data) != rowSize {
			log.Fatalf("not a request: %.100s (%v)", delivery.Body, err)
		}
		if ioDelay == 0 {
			r.ready = time.Now()
			ready <- r
			continue
		}
		onTheirWay.Add(1)
		time.AfterFunc(ioDelay, func() {
			onTheirWay.Add(-1)
			r.ready = time.Now()
			ready <- r
		})
	}
	log.Fatal("the broker closed the channel")
}

// infer takes all that wait; a batch that is not full waits only for requests that are on their way.
func infer(model *model, ready <-chan *request, results *amqp.Channel, published chan<- uint64) {
	batch := make([]*request, 0, maxSize)
	for first := range ready {
		batch = append(batch[:0], first)
		runtime.Gosched() // lets the receiver go on, so that what has arrived is in this batch
		batch = drain(ready, batch)
		for len(batch) < maxSize && onTheirWay.Load() > 0 {
			left := maxWait - time.Since(first.ready)
			if left <= 0 {
				break
			}
			select {
			case r := <-ready:
				batch = drain(ready, append(batch, r))
			case <-time.After(left):
			}
		}
		for i, result := range model.run(batch) {
			body, err := gojson.Marshal(result)
			check(err)
			d := &batch[i].delivery
			published <- d.DeliveryTag
			check(results.Publish("", d.ReplyTo, true, false, amqp.Publishing{
				ContentType:   "application/json",
				DeliveryMode:  amqp.Persistent,
				Type:          "inference.result",
				CorrelationId: d.CorrelationId,
				MessageId:     d.MessageId + ".answer",
				Body:          body,
			}))
		}
		batches.Add(1)
		rows.Add(int64(len(batch)))
	}
}

func drain(ready <-chan *request, batch []*request) []*request {
	for len(batch) < maxSize {
		select {
		case r := <-ready:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// acknowledge acks all requests up to the first that is not yet settled, once per burst of confirms.
func acknowledge(requests *amqp.Channel, confirms <-chan amqp.Confirmation, published <-chan uint64) {
	settled := make([]bool, prefetch) // at most this many tags in a row are in hand
	next := uint64(1)
	for confirm := range confirms {
		if !confirm.Ack {
			log.Fatal("the broker refused an answer")
		}
		settled[<-published%uint64(prefetch)] = true
		if len(confirms) > 0 {
			continue
		}
		from := next
		for settled[next%uint64(prefetch)] {
			settled[next%uint64(prefetch)] = false
			next++
		}
		if next > from {
			check(requests.Ack(next-1, true))
		}
	}
}

type model struct {
	session *ort.DynamicAdvancedSession
	inputs  []ort.Value // one per batch size, all over the same memory
	outputs []ort.Value
	in, out []float32
	rowSize int
	output  output
	labels  []string
	scale   float32
}

func loadModel(folder string) *model {
	ort.SetSharedLibraryPath(os.Getenv("ORT_DYLIB_PATH"))
	check(ort.InitializeEnvironment())
	file := filepath.Join(folder, "model.onnx")
	inputs, outputs, err := ort.GetInputOutputInfo(file)
	check(err)
	options, err := ort.NewSessionOptions()
	check(err)
	check(options.SetIntraOpNumThreads(1))
	check(options.SetInterOpNumThreads(1))
	session, err := ort.NewDynamicAdvancedSession(file, []string{inputs[0].Name}, []string{outputs[0].Name}, options)
	check(err)

	var settings struct {
		Labels     []string
		Preprocess struct{ Scale *float32 }
	}
	if text, err := os.ReadFile(filepath.Join(folder, "model.json")); err == nil {
		check(json.Unmarshal(text, &settings))
	}
	m := &model{session: session, labels: settings.Labels, scale: 1}
	if settings.Preprocess.Scale != nil {
		m.scale = *settings.Preprocess.Scale
	}
	inShape, outShape := inputs[0].Dimensions.Clone(), outputs[0].Dimensions.Clone()
	inShape[0], outShape[0] = 1, 1
	m.rowSize = int(inShape.FlattenedSize())
	m.output = output{Name: outputs[0].Name, Shape: outShape, Datatype: "FP32"}
	m.in = make([]float32, maxSize*m.rowSize)
	m.out = make([]float32, maxSize*int(outShape.FlattenedSize()))
	for n := 1; n <= maxSize; n++ {
		m.inputs = append(m.inputs, tensor(inShape, n, m.in))
		m.outputs = append(m.outputs, tensor(outShape, n, m.out))
	}
	return m
}

func tensor(row ort.Shape, n int, data []float32) ort.Value {
	shape := row.Clone()
	shape[0] = int64(n)
	t, err := ort.NewTensor(shape, data[:shape.FlattenedSize()])
	check(err)
	return t
}

// run returns answers that are valid until the next run.
func (m *model) run(batch []*request) []answer {
	n := len(batch)
	for i, r := range batch {
		row := m.in[i*m.rowSize:]
		for j, value := range r.Data {
			row[j] = value * m.scale
		}
	}
	check(m.session.Run(m.inputs[n-1:n], m.outputs[n-1:n]))
	answers := make([]answer, n)
	size := len(m.out) / maxSize
	for i, r := range batch {
		out := m.output
		out.Data = m.out[i*size : (i+1)*size]
		answers[i] = answer{ModelName: modelName, ModelVersion: "1", ID: r.ID, Outputs: [1]output{out}}
		if m.labels != nil {
			best := 0
			for j, score := range out.Data {
				if score > out.Data[best] {
					best = j
				}
			}
			answers[i].Parameters = &parameters{Label: [1]string{m.labels[best]}, Score: [1]float32{out.Data[best]}}
		}
	}
	return answers
}

func openChannel() *amqp.Channel {
	connection, err := amqp.DialConfig(os.Getenv("RABBITMQ_URL"), amqp.Config{Dial: dial})
	check(err)
	channel, err := connection.Channel()
	check(err)
	return channel
}

// gatheringConn sends what is written in a burst at once: amqp091-go itself writes each message by itself.
type gatheringConn struct {
	net.Conn
	mutex   sync.Mutex
	waiting []byte
	wake    chan struct{}
}

func dial(network, address string) (net.Conn, error) {
	conn, err := amqp.DefaultDial(30*time.Second)(network, address)
	if err != nil {
		return nil, err
	}
	c := &gatheringConn{Conn: conn, wake: make(chan struct{}, 1)}
	go c.send()
	return c, nil
}

func (c *gatheringConn) Write(data []byte) (int, error) {
	c.mutex.Lock()
	c.waiting = append(c.waiting, data...)
	c.mutex.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return len(data), nil
}

func (c *gatheringConn) send() {
	var sending []byte
	for range c.wake {
		runtime.Gosched() // lets the writer write the rest of its burst
		c.mutex.Lock()
		sending, c.waiting = c.waiting, sending[:0]
		c.mutex.Unlock()
		if _, err := c.Conn.Write(sending); err != nil {
			c.Conn.Close() // the reader reports it
			return
		}
	}
}

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
