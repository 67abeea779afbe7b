// A worker as one would write it in Go: amqp091-go and onnxruntime_go, rows inferred in batches, confirms pipelined.
//
// With TUNED=1 it has been made fast as well: goccy/go-json instead of encoding/json, one ack per burst of confirms
// instead of one per message, and what is written in a burst is sent at once instead of message by message.
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

	tuned              = os.Getenv("TUNED") == "1"
	marshal, unmarshal = json.Marshal, json.Unmarshal
)

// publication is an answer that was published, and the request it settles.
type publication struct {
	tag     uint64
	confirm *amqp.DeferredConfirmation
}

func main() {
	model := loadModel(filepath.Join(os.Getenv("MODELS_DIR"), modelName))
	requests, results := openChannel(), openChannel()
	check(requests.Qos(prefetch, 0, false))
	check(results.Confirm(false))
	returns := results.NotifyReturn(make(chan amqp.Return, 1))
	deliveries, err := requests.Consume(os.Getenv("REQUEST_QUEUE"), "", false, false, false, false, nil)
	check(err)
	fmt.Println("consuming")

	ready := make(chan *request, prefetch)
	published := make(chan publication, prefetch)
	if tuned {
		marshal, unmarshal = gojson.Marshal, gojson.Unmarshal
		confirms := results.NotifyPublish(make(chan amqp.Confirmation, prefetch))
		go acknowledgeBursts(requests, published, confirms, returns)
	} else {
		go acknowledge(requests, published, returns)
	}
	go receive(deliveries, ready, model.rowSize)
	go infer(model, ready, results, published)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	fmt.Printf("{\"batches\":%d,\"rows\":%d}\n", batches.Load(), rows.Load())
}

func receive(deliveries <-chan amqp.Delivery, ready chan<- *request, rowSize int) {
	for delivery := range deliveries {
		r := &request{delivery: delivery, Data: make([]float32, 0, rowSize)}
		if err := unmarshal(delivery.Body, r); err != nil || len(r.Data) != rowSize {
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
func infer(model *model, ready <-chan *request, results *amqp.Channel, published chan<- publication) {
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
		for i, body := range model.run(batch) {
			d := &batch[i].delivery
			confirm, err := results.PublishWithDeferredConfirm("", d.ReplyTo, true, false, amqp.Publishing{
				ContentType:   "application/json",
				DeliveryMode:  amqp.Persistent,
				Type:          "inference.result",
				CorrelationId: d.CorrelationId,
				MessageId:     d.MessageId + ".answer",
				Body:          body,
			})
			check(err)
			published <- publication{d.DeliveryTag, confirm}
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

// acknowledge acks each request when its answer is confirmed.
func acknowledge(requests *amqp.Channel, published <-chan publication, returns <-chan amqp.Return) {
	for p := range published {
		checkTaken(p.confirm.Wait(), returns)
		check(requests.Ack(p.tag, false))
	}
}

// acknowledgeBursts acks all requests up to the first that is not yet settled, once per burst of confirms.
func acknowledgeBursts(requests *amqp.Channel, published <-chan publication,
	confirms <-chan amqp.Confirmation, returns <-chan amqp.Return) {
	settled := make([]bool, prefetch) // at most this many tags in a row are in hand
	next := uint64(1)
	for confirm := range confirms { // in the order of `published`
		checkTaken(confirm.Ack, returns)
		p := <-published
		settled[p.tag%uint64(prefetch)] = true
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

// checkTaken ends the worker if an answer was refused or returned. A returned answer is confirmed too, after its return.
func checkTaken(confirmed bool, returns <-chan amqp.Return) {
	if !confirmed {
		log.Fatal("the broker refused an answer")
	}
	select {
	case returned := <-returns:
		log.Fatalf("an answer was returned: %s", returned.ReplyText)
	default:
	}
}

type model struct {
	session    *ort.DynamicAdvancedSession
	inputShape ort.Shape
	rowSize    int
	rows       []float32
	output     output
	labels     []string
	scale      float32
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
	m.inputShape = inputs[0].Dimensions.Clone()
	m.inputShape[0] = 1
	m.rowSize = int(m.inputShape.FlattenedSize())
	m.output = output{Name: outputs[0].Name, Shape: outputs[0].Dimensions.Clone(), Datatype: "FP32"}
	m.output.Shape[0] = 1
	return m
}

// run returns the bodies of the answers.
func (m *model) run(batch []*request) [][]byte {
	m.rows = m.rows[:0]
	for _, r := range batch {
		for _, value := range r.Data {
			m.rows = append(m.rows, value*m.scale)
		}
	}
	m.inputShape[0] = int64(len(batch))
	input, err := ort.NewTensor(m.inputShape, m.rows)
	check(err)
	defer input.Destroy()
	outputs := []ort.Value{nil} // allocated by the run
	check(m.session.Run([]ort.Value{input}, outputs))
	defer outputs[0].Destroy()
	data := outputs[0].(*ort.Tensor[float32]).GetData()

	size := len(data) / len(batch)
	bodies := make([][]byte, len(batch))
	for i, r := range batch {
		result := answer{ModelName: modelName, ModelVersion: "1", ID: r.ID, Outputs: [1]output{m.output}}
		row := data[i*size : (i+1)*size]
		result.Outputs[0].Data = row
		if m.labels != nil {
			best := 0
			for j, score := range row {
				if score > row[best] {
					best = j
				}
			}
			result.Parameters = &parameters{Label: [1]string{m.labels[best]}, Score: [1]float32{row[best]}}
		}
		bodies[i], err = marshal(&result)
		check(err)
	}
	return bodies
}

func openChannel() *amqp.Channel {
	var config amqp.Config
	if tuned {
		config.Dial = dialGathering
	}
	connection, err := amqp.DialConfig(os.Getenv("RABBITMQ_URL"), config)
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

func dialGathering(network, address string) (net.Conn, error) {
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
