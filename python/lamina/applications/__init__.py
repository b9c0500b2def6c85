"""Classic architectures, one paper a file."""

from lamina.applications.bert import BertConfig as BertConfig
from lamina.applications.bert_models import BertForMaskedLM as BertForMaskedLM
from lamina.applications.bert_models import BertForPreTraining as BertForPreTraining
from lamina.applications.bert_models import BertForQuestionAnswering as BertForQuestionAnswering
from lamina.applications.bert_models import BertForSequenceClassification as BertForSequenceClassification
from lamina.applications.bert_models import BertForTokenClassification as BertForTokenClassification
from lamina.applications.bert_models import BertModel as BertModel
from lamina.applications.bert_weights import load_bert as load_bert
from lamina.applications.bert_weights import load_bert_weights as load_bert_weights
from lamina.applications.bert_weights import save_bert as save_bert
from lamina.applications.spans import best_spans as best_spans
from lamina.applications.spans import span_f1 as span_f1
from lamina.applications.unet import UNet as UNet
